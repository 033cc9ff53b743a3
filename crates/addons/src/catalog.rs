//! All definitions together.

use crate::{Definition, Plan, lint};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is built in.
const BUILT_IN: &[(&str, &str)] = &[
    ("heroku-postgresql.toml", include_str!("../../../catalog/heroku-postgresql.toml")),
    ("heroku-redis.toml", include_str!("../../../catalog/heroku-redis.toml")),
    ("mariadb.toml", include_str!("../../../catalog/mariadb.toml")),
    ("memcached.toml", include_str!("../../../catalog/memcached.toml")),
    ("papertrail.toml", include_str!("../../../catalog/papertrail.toml")),
    ("rabbitmq.toml", include_str!("../../../catalog/rabbitmq.toml")),
    ("scheduler.toml", include_str!("../../../catalog/scheduler.toml")),
];

/// The services of an installation.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    services: BTreeMap<String, Definition>,
}

/// Why a definition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{file} is not a definition of an add-on: {error}")]
    Syntax { file: String, error: toml::de::Error },
    #[error("{file} is not right:\n  {}", problems.join("\n  "))]
    Problems { file: String, problems: Vec<String> },
    #[error("{file}: there is a service {name} already")]
    Twice { file: String, name: String },
}

impl Catalog {
    /// What is built in, and the definitions in `own`.
    ///
    /// # Errors
    /// When a file cannot be read or is not right. Nothing is left out silently.
    pub fn load(own: Option<&Path>) -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        for (file, text) in BUILT_IN {
            catalog.add(file, text)?;
        }
        let Some(own) = own else { return Ok(catalog) };
        let error = |source| CatalogError::Read { path: own.to_owned(), source };
        let mut paths: Vec<_> = std::fs::read_dir(own)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(error)?;
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
            let text = std::fs::read_to_string(path)
                .map_err(|source| CatalogError::Read { path: path.clone(), source })?;
            catalog.add(&path.display().to_string(), &text)?;
        }
        Ok(catalog)
    }

    /// Reads a definition. `file` is how errors call it.
    ///
    /// # Errors
    /// When it is not right, with all that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Definition, CatalogError> {
        let definition: Definition =
            toml::from_str(text).map_err(|error| CatalogError::Syntax { file: file.into(), error })?;
        let problems = lint::problems(&definition);
        if problems.is_empty() {
            Ok(definition)
        } else {
            Err(CatalogError::Problems { file: file.into(), problems })
        }
    }

    /// Adds a definition. `file` is how errors call it.
    ///
    /// # Errors
    /// When it is not right, or another one has its name.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), CatalogError> {
        let definition = Self::parse(file, text)?;
        if self.services.contains_key(&definition.name) {
            return Err(CatalogError::Twice { file: file.into(), name: definition.name });
        }
        self.services.insert(definition.name.clone(), definition);
        Ok(())
    }

    /// Nothing but this service.
    pub fn only(definition: Definition) -> Self {
        Self { services: BTreeMap::from([(definition.name.clone(), definition)]) }
    }

    /// This one with what partners run besides. What has a name that is taken is left out.
    pub fn with(&self, partners: impl IntoIterator<Item = Definition>) -> Self {
        let mut all = self.clone();
        for one in partners {
            all.services.entry(one.name.clone()).or_insert(one);
        }
        all
    }

    /// All services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Definition> {
        self.services.values()
    }

    /// A service by name or id.
    pub fn service(&self, identity: &str) -> Option<&Definition> {
        let by_id = || self.services.values().find(|service| service.id().to_string() == identity);
        self.services.get(identity).or_else(by_id)
    }

    /// A plan by its whole name, `heroku-postgresql:mini`, by id, or the default one of a service.
    pub fn plan(&self, identity: &str) -> Option<(&Definition, &Plan)> {
        if let Some((service, plan)) = identity.split_once(':') {
            let service = self.service(service)?;
            return Some((service, service.plan(plan)?));
        }
        if let Some(service) = self.service(identity) {
            return Some((service, service.plan(&service.default_plan)?));
        }
        let mut all =
            self.services().flat_map(|service| service.plans.iter().map(move |plan| (service, plan)));
        all.find(|(service, plan)| service.plan_id(plan).to_string() == identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_right() {
        let catalog = Catalog::load(None).unwrap_or_else(|error| panic!("{error}"));
        let (service, plan) = catalog.plan("heroku-postgresql:mini").expect("a plan of old");
        assert_eq!(service.plan_name(plan), "heroku-postgresql:essential-0");
        let id = service.plan_id(plan).to_string();
        assert_eq!(catalog.plan(&id).map(|(_, plan)| plan.name.as_str()), Some("essential-0"));
        assert!(catalog.plan("heroku-postgresql:nonsense").is_none());
        assert!(catalog.plan("heroku-redis").is_some());
    }

    #[test]
    fn the_example_of_the_document_is_right() {
        let document = include_str!("../../../docs/addons/writing.md");
        let (_, rest) = document.split_once("```toml\n").expect("an example");
        let (example, _) = rest.split_once("```").expect("its end");
        let memo = Catalog::parse("writing.md", example).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((memo.name.as_str(), memo.plans.len()), ("memo", 1));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let text = r#"
            name = "Bad"
            title = "Bad"
            summary = "Wrong."
            default_plan = "none"
            attachment = { first = "bad" }
            config = { URL = "x://{nobody}" }
            values = { level = { random = 3 } }
            settings = { level = { about = "a", default = "9", number = { least = 0, most = 3 } }, A = { about = "a", default = "" } }
            run = { packages = [], start = "exec bad", port = 1 }
            hooks = { follow = "lead" }
            test = { write = "put" }
            plans = [{ name = "one", title = "One", archive = 5 }, { name = "one", title = "One", shared = true, rollback = 4 }]
        "#;
        let error = Catalog::parse("bad.toml", text).expect_err("not right").to_string();
        let expected = [
            "bad.toml is not right:",
            "name: \"Bad\" must start with",
            "alias: \"Bad\"",
            "attachment.first:",
            "attachment.further:",
            "default_plan: there is no plan \"none\"",
            "plans.one: rollback (days) and archive",
            "plans.one: memory is missing",
            "plans.one: disk is missing",
            "plans: \"one\" is there twice",
            "plans.one: rollback takes a container of its own",
            "plans.one: rollback (days) and archive",
            "plans.one: it is shared",
            "config.URL: there is no value {nobody}",
            "settings.A: it must start",
            "settings.A: it needs one of values, number and letters",
            "settings.level.default: \"9\" is not a number from 0 to 3",
            "settings.level: there is a value of that name",
            "hooks.settings is missing",
            "test: write and read come together",
            "hooks.deprovision is missing",
            "hooks: follow and unfollow come together",
            "run.packages: nothing to install",
        ];
        let lines: Vec<_> = error.lines().map(str::trim).collect();
        assert_eq!(lines.len(), expected.len(), "{error}");
        for (line, start) in lines.iter().zip(expected) {
            assert!(line.starts_with(start), "{line} is not {start}");
        }
    }

    #[test]
    fn what_the_platform_provides_is_not_run_and_has_its_limits() {
        let catalog = Catalog::load(None).unwrap_or_else(|error| panic!("{error}"));
        let (papertrail, plan) = catalog.plan("papertrail").expect("a default plan");
        assert_eq!(
            (papertrail.provided, plan.limit("search_days")),
            (Some(crate::Provided::Papertrail), Some(2))
        );
        let text = r#"
            name = "logs"
            title = "Logs"
            summary = "Wrong."
            default_plan = "one"
            provided = "papertrail"
            attachment = { first = "LOGS" }
            run = { packages = ["logs"], start = "exec logs", port = 1, volume = false }
            plans = [{ name = "one", title = "One", memory = 1, limits = { log = "much" } }]
        "#;
        let error = Catalog::parse("logs.toml", text).expect_err("not right").to_string();
        for words in [
            "[run] is out of place",
            "many_per_app and sharing must be false",
            "plans.one: limits.search_days is missing",
            "plans.one: limits.log is missing, or no number",
        ] {
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn an_operator_s_definitions_are_added_and_mistakes_are_named() {
        let own = tempfile::tempdir().expect("a directory");
        let good = "name = \"echo\"\ntitle = \"Echo\"\nsummary = \"Echoes.\"\ndefault_plan = \"one\"\n\
                    [attachment]\nfirst = \"ECHO\"\n[config]\nURL = \"tcp://{host}:{port}\"\n\
                    [run]\npackages = [\"socat\"]\nstart = \"exec socat\"\nport = 7\nvolume = false\n\
                    [[plans]]\nname = \"one\"\ntitle = \"One\"\nmemory = 64\n";
        let file = own.path().join("echo.toml");
        std::fs::write(&file, good).expect("a file");
        let catalog = Catalog::load(Some(own.path())).unwrap_or_else(|error| panic!("{error}"));
        assert!(catalog.service("echo").is_some());

        for (from, to, words) in [
            ("name = \"echo\"", "name = \"Echo\"", "name: \"Echo\" must start with"),
            ("{port}", "{prt}", "config.URL: there is no value {prt}; there are host, port"),
            ("default_plan = \"one\"", "default_plan = \"two\"", "default_plan: there is no plan \"two\""),
            ("memory = 64", "", "plans.one: memory is missing"),
            ("memory = 64", "shared = true", "hooks.deprovision is missing"),
            ("summary", "sumary", "unknown field `sumary`"),
            ("name = \"echo\"", "name = \"heroku-redis\"", "there is a service heroku-redis already"),
        ] {
            std::fs::write(&file, good.replacen(from, to, 1)).expect("a file");
            let error = Catalog::load(Some(own.path())).expect_err(words).to_string();
            assert!(error.contains(words) && error.contains("echo.toml"), "{error}");
        }
    }
}
