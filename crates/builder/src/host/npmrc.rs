//! The settings of npm that concern registries, read from `.npmrc` files.

use super::credentials::without;
use base64::Engine as _;
use std::collections::BTreeMap;

/// npm's own default.
const REGISTRY: &str = "https://registry.npmjs.org/";

/// Settings that mean the same on another machine. Others, such as `cafile`, name paths.
const PASSED_ON: [&str; 12] = [
    "registry",
    "proxy",
    "https-proxy",
    "noproxy",
    "strict-ssl",
    "maxsockets",
    "fetch-retries",
    "fetch-retry-factor",
    "fetch-retry-mintimeout",
    "fetch-retry-maxtimeout",
    "fetch-timeout",
    "replace-registry-host",
];

/// Settings by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Npmrc(BTreeMap<String, String>);

impl std::fmt::Debug for Npmrc {
    /// Without values: tokens are among them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Npmrc {
    /// Adds the settings of a file; they win over earlier ones. `${NAME}` is replaced by the
    /// variable, as npm does.
    pub(super) fn merge(&mut self, content: &str, variable: &dyn Fn(&str) -> Option<String>) {
        for line in content.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let (name, value) = line.split_once('=').unwrap_or((line, "true"));
            let name = name.trim();
            let scoped = name.starts_with("//") || (name.starts_with('@') && name.ends_with(":registry"));
            if scoped || PASSED_ON.contains(&name) {
                let value = value.trim().trim_matches(['"', '\'']);
                self.0.insert(name.into(), expand(value, variable));
            }
        }
    }

    pub(super) fn set_registry(&mut self, address: String) {
        self.0.insert("registry".into(), address);
    }

    /// The names of those that hold a user, a password or a token.
    pub(super) fn with_credentials(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|(name, value)| is_credential(name) || without(value) != **value)
            .map(|(name, _)| name.as_str())
    }

    /// The settings without users, passwords and tokens.
    pub(crate) fn without_credentials(&self) -> Self {
        let kept = self.0.iter().filter(|(name, _)| !is_credential(name));
        Self(kept.map(|(name, value)| (name.clone(), without(value))).collect())
    }

    /// As a file. Empty lines are never among the settings, so neither can they add any.
    pub(super) fn text(&self) -> String {
        let lines: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        lines.concat()
    }

    /// The registry for packages without a scope, ending with a slash.
    pub(crate) fn registry(&self) -> String {
        let address = self.0.get("registry").map_or(REGISTRY, String::as_str);
        format!("{}/", address.trim_end_matches('/'))
    }

    /// The `Authorization` for an address, if a setting names its host and the start of its path.
    /// The most specific one wins, as in npm.
    pub(crate) fn authorization(&self, address: &str) -> Option<String> {
        let (_, rest) = address.split_once(':')?;
        let fits = |prefix: &str| rest.starts_with(&format!("{}/", prefix.trim_end_matches('/')));
        let scopes =
            self.0.keys().filter_map(|name| name.starts_with("//").then(|| name.rsplit_once(':'))?);
        let scope = scopes.map(|(prefix, _)| prefix).filter(|prefix| fits(prefix)).max_by_key(|p| p.len())?;
        let get = |name: &str| self.0.get(&format!("{scope}:{name}"));
        if let Some(token) = get("_authToken") {
            return Some(format!("Bearer {token}"));
        }
        if let Some(both) = get("_auth") {
            return Some(format!("Basic {both}"));
        }
        let base64 = base64::engine::general_purpose::STANDARD;
        let password = base64.decode(get("_password")?).ok()?;
        let mut both = format!("{}:", get("username")?).into_bytes();
        both.extend(password);
        Some(format!("Basic {}", base64.encode(both)))
    }
}

/// What npm sets for one address only is who one is there.
fn is_credential(name: &str) -> bool {
    name.starts_with("//")
}

fn expand(value: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        text.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            text.push_str("${");
            rest = after;
            continue;
        };
        match variable(name) {
            Some(value) => text.push_str(value.lines().next().unwrap_or("")),
            None => text.extend(["${", name, "}"]),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Npmrc {
        let mut npmrc = Npmrc::default();
        npmrc.merge(content, &|name| (name == "T").then(|| "secret".to_owned()));
        npmrc
    }

    #[test]
    fn registries_end_with_a_slash() {
        for (content, registry) in [
            ("", "https://registry.npmjs.org/"),
            ("registry = https://a.example/npm", "https://a.example/npm/"),
            ("; registry=x\n#registry=y\nregistry=\"https://b.example//\"", "https://b.example/"),
        ] {
            assert_eq!(read(content).registry(), registry);
        }
    }

    #[test]
    fn authorization_is_only_for_the_address_it_names() {
        let npmrc = read(
            "//a.example/:_authToken=${T}\n//a.example/deep/:_auth=dTpw\n//b.example/:username=u\n//b.example/:_password=cHc=\n//c.example/:username=u\n",
        );
        for (address, expected) in [
            ("https://a.example/node", Some("Bearer secret")),
            ("https://a.example/deep/node", Some("Basic dTpw")),
            ("https://a.example.evil/node", None),
            ("https://b.example/x/y", Some("Basic dTpwdw==")),
            ("https://c.example/", None),
            ("nonsense", None),
        ] {
            assert_eq!(npmrc.authorization(address).as_deref(), expected, "{address}");
        }
        assert!(!format!("{npmrc:?}").contains("secret"));
    }

    #[test]
    fn variables_that_are_not_set_stay_as_they_are() {
        for (value, expected) in [
            ("a${T}b", "asecretb"),
            ("${U}", "${U}"),
            ("a${", "a${"),
            ("$T", "$T"),
            ("${T}${T}", "secretsecret"),
        ] {
            assert_eq!(expand(value, &|name| (name == "T").then(|| "secret".into())), expected);
        }
    }
}
