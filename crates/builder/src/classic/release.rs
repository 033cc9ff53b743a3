//! What `bin/release` prints: YAML with default process types, config vars and add-ons.

use domain::procfile::MAX_PROCESS_TYPES;
use domain::{NameError, ProcessType};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Read from `bin/release`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) process_types: BTreeMap<ProcessType, String>,
    /// For an app's first release.
    pub(crate) config_vars: BTreeMap<String, String>,
    /// Plans that it asks for.
    pub(crate) addons: Vec<String>,
}

/// Why it could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BadRelease {
    #[error("it is not YAML ({0})")]
    Yaml(String),
    #[error("{0} is not a map of texts")]
    NotTexts(&'static str),
    #[error("{0}")]
    Name(NameError),
}

impl Release {
    /// Nothing at all means nothing to say.
    pub(crate) fn parse(text: &str) -> Result<Self, BadRelease> {
        if text.trim().trim_start_matches("---").trim().is_empty() {
            return Ok(Self::default());
        }
        let document: Value = serde_saphyr::from_str(text)
            .map_err(|error| BadRelease::Yaml(error.to_string().lines().next().unwrap_or("").to_owned()))?;
        let document = match document {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            _ => return Err(BadRelease::NotTexts("the document")),
        };
        let addons = document.get("addons").and_then(Value::as_array);
        let addons = addons.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let mut release = Self {
            config_vars: texts(&document, "config_vars")?,
            addons: addons.collect(),
            ..Self::default()
        };
        let types = texts(&document, "default_process_types")?;
        if types.len() > MAX_PROCESS_TYPES {
            let words =
                format!("it names {} process types, and an app can have {MAX_PROCESS_TYPES}", types.len());
            return Err(BadRelease::Name(NameError(words)));
        }
        for (name, command) in types {
            let name = ProcessType::parse(&name).map_err(BadRelease::Name)?;
            release.process_types.insert(name, command.trim().to_owned());
        }
        Ok(release)
    }
}

fn texts(document: &Map<String, Value>, key: &'static str) -> Result<BTreeMap<String, String>, BadRelease> {
    let map = match document.get(key) {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(BadRelease::NotTexts(key)),
    };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    map.iter()
        .map(|(name, value)| Ok((name.clone(), text(value).ok_or(BadRelease::NotTexts(key))?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<String>, Vec<String>), String> {
        let release = Release::parse(text).map_err(|error| error.to_string())?;
        Ok((
            release.process_types.iter().map(|(k, v)| format!("{k}={v}")).collect(),
            release.config_vars.iter().map(|(k, v)| format!("{k}={v}")).collect(),
        ))
    }

    #[test]
    fn reads_what_buildpacks_print() {
        let nothing = (vec![], vec![]);
        for empty in ["", "---\n", "--- {}\n", "addons: []\n", "default_process_types:\n"] {
            assert_eq!(read(empty).unwrap(), nothing, "{empty:?}");
        }
        let text = "---\naddons:\n  - heroku-postgresql\nconfig_vars:\n  A: b\n  PORT: 80\ndefault_process_types:\n  web: bundle exec rackup -p $PORT\n  \"worker\": 'a: b'\n";
        assert_eq!(
            read(text).unwrap(),
            (
                vec!["web=bundle exec rackup -p $PORT".into(), "worker=a: b".into()],
                vec!["A=b".into(), "PORT=80".into()]
            )
        );
        let addons = |text: &str| Release::parse(text).unwrap().addons;
        assert_eq!(addons(text), ["heroku-postgresql"]);
        assert_eq!(addons("addons:\n- a:b\n- c\n"), ["a:b", "c"]);
        assert_eq!(addons("addons: nonsense\n"), [""; 0]);
        assert_eq!(read("{\"default_process_types\": {\"web\": \"x\"}}").unwrap().0, ["web=x"]);
    }

    #[test]
    fn names_what_it_cannot_read() {
        for (text, words) in [
            ("a: [", "not YAML"),
            ("- a\n", "the document is not"),
            ("default_process_types: [web]", "default_process_types is not"),
            ("default_process_types:\n  web: [a]", "default_process_types is not"),
            ("default_process_types:\n  we b: a", "Process type"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
