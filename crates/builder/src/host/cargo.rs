//! The settings of Cargo that concern registries, read from its configuration file.

use super::credentials;
use std::path::PathBuf;
use toml::{Table, Value};

/// Tables that are read, each with the settings in it that are not about this machine's paths.
const TABLES: [(&str, &[&str]); 4] = [
    ("source", &["replace-with", "registry", "git", "branch", "tag", "rev"]),
    ("registries", &["index", "protocol", "token"]),
    ("http", &["proxy", "timeout", "check-revoke", "multiplexing", "ssl-version"]),
    ("net", &["retry", "git-fetch-with-cli"]),
];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cargo(Vec<(&'static str, Table)>);

impl Cargo {
    /// Reads the file that Cargo would read in every directory.
    pub(super) fn of_user(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let home = || Some(PathBuf::from(variable("HOME")?).join(".cargo"));
        let Some(home) = variable("CARGO_HOME").map(PathBuf::from).or_else(home) else {
            return Self::default();
        };
        let files = ["config", "config.toml"].map(|name| std::fs::read_to_string(home.join(name)).ok());
        files.into_iter().flatten().next().map(|text| Self::read(&text)).unwrap_or_default()
    }

    fn read(text: &str) -> Self {
        let Ok(file) = text.parse::<Table>() else { return Self::default() };
        let tables = TABLES.into_iter().filter_map(|(name, settings)| {
            let mut table = file.get(name)?.as_table()?.clone();
            // These two have a table for each registry.
            if ["source", "registries"].contains(&name) {
                for (_, one) in &mut table {
                    if let Some(one) = one.as_table_mut() {
                        one.retain(|setting, _| settings.contains(&setting));
                    }
                }
                without_loose_ends(&mut table);
                table.retain(|_, one| one.as_table().is_some_and(|one| !one.is_empty()));
            } else {
                table.retain(|setting, _| settings.contains(&setting));
            }
            (!table.is_empty()).then_some((name, table))
        });
        Self(tables.collect())
    }

    /// Without tokens, and without users and passwords in addresses.
    pub(super) fn without_credentials(&self) -> Self {
        let bare = |(name, table): &(&'static str, Table)| {
            let mut table = table.clone();
            strip(&mut table);
            (*name, table)
        };
        Self(self.0.iter().map(bare).collect())
    }

    /// The names of tables in which there are credentials.
    pub(super) fn with_credentials(&self) -> impl Iterator<Item = &'static str> {
        let bare = self.without_credentials();
        let pairs = self.0.iter().zip(bare.0);
        pairs.filter(|(one, bare)| *one != bare).map(|((name, _), _)| *name).collect::<Vec<_>>().into_iter()
    }

    /// A file for Cargo; `None` if nothing was set.
    pub(super) fn text(&self) -> Option<String> {
        let file: Table =
            self.0.iter().map(|(name, table)| ((*name).to_owned(), Value::Table(table.clone()))).collect();
        (!file.is_empty()).then(|| file.to_string())
    }
}

/// Sources are not replaced by one that is not passed on.
fn without_loose_ends(table: &mut Table) {
    let has = |one: &Value| one.as_table().is_some_and(|one| !one.is_empty());
    let known: Vec<String> = table.iter().filter(|(_, one)| has(one)).map(|(name, _)| name.clone()).collect();
    for (_, one) in table {
        let Some(one) = one.as_table_mut() else { continue };
        let is_loose = |name: &Value| name.as_str().is_some_and(|name| !known.iter().any(|one| one == name));
        if one.get("replace-with").is_some_and(is_loose) {
            one.remove("replace-with");
        }
    }
}

fn strip(table: &mut Table) {
    table.retain(|name, _| name != "token");
    for (_, value) in table {
        match value {
            Value::String(text) => *text = credentials::without(text),
            Value::Table(inner) => strip(inner),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [build]
        jobs = 2
        [source.crates-io]
        replace-with = "mirror"
        [source.mirror]
        registry = "sparse+https://me:geheim@crates.example/index/"
        [source.mine]
        directory = "/home/me/vendor"
        [registries.own]
        index = "https://git.example/index"
        token = "geheim"
        [http]
        cainfo = "/etc/mine.pem"
        proxy = "me:geheim@proxy.example:3128"
        [net]
        offline = true
    "#;

    #[test]
    fn paths_of_the_host_stay_behind() {
        let text = Cargo::read(FILE).text().unwrap();
        for word in ["jobs", "/home/me", "cainfo", "offline", "[net]", "mine"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        assert_eq!(text.matches("geheim").count(), 3, "{text}");
        let loose = "[source.crates-io]\nreplace-with = 'mine'\n[source.mine]\ndirectory = '/x'\n";
        assert_eq!(Cargo::read(loose).text(), None);
        assert_eq!(Cargo::read("[net]\noffline = true\n").text(), None);
        assert_eq!(Cargo::read("nonsense").text(), None);
    }

    #[test]
    fn credentials_can_be_left_out() {
        let cargo = Cargo::read(FILE);
        let bare = cargo.without_credentials();
        let text = bare.text().unwrap();
        assert!(!text.contains("geheim") && !text.contains("token"), "{text}");
        assert!(text.contains("sparse+https://crates.example/index/"), "{text}");
        assert!(text.contains("proxy.example:3128"), "{text}");
        assert_eq!(cargo.with_credentials().collect::<Vec<_>>(), ["source", "registries", "http"]);
        assert_eq!(bare.with_credentials().count(), 0);
    }
}
