//! The settings of a database server that its user may change, with Heroku's names, defaults and words.

use crate::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As the API and PostgreSQL call it.
    pub name: &'static str,
    pub kind: Kind,
    /// As PostgreSQL writes it.
    pub default: &'static str,
    pub about: &'static str,
}

/// What values a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Flag,
    /// A whole number, this or more.
    Number(i64),
    /// A word of these, each with what it means.
    Word(&'static [(&'static str, &'static str)]),
}

const STATEMENTS: &[(&str, &str)] = &[
    ("none", "No SQL statements will be logged."),
    ("ddl", "All data definition statements, such as CREATE, ALTER and DROP, will be logged."),
    ("mod", "All data definition and data-modifying statements will be logged."),
    ("all", "All SQL statements will be logged."),
];

const ERRORS: &[(&str, &str)] = &[
    ("error", "All statements that cause an error, a fatal error or a panic will be logged."),
    ("log", "All statements that cause a log message, an error, a fatal error or a panic will be logged."),
    ("fatal", "All statements that cause a fatal error or a panic will be logged."),
    ("panic", "All statements that cause a panic will be logged."),
];

const FUNCTIONS: &[(&str, &str)] = &[
    ("none", "No functions will be tracked."),
    ("pl", "Only functions of procedural languages will be tracked."),
    ("all", "All functions will be tracked."),
];

const FORMATS: &[(&str, &str)] = &[("text", "Text"), ("json", "JSON"), ("yaml", "YAML"), ("xml", "XML")];

/// All, by name.
pub const SETTINGS: &[Setting] = &[
    flag("auto_explain", "off", "Plans of queries are logged, for connections from then on"),
    flag("auto_explain.log_analyze", "off", "Logged plans come with what really happened"),
    flag("auto_explain.log_buffers", "off", "Logged plans come with figures about buffers"),
    Setting {
        name: "auto_explain.log_format",
        kind: Kind::Word(FORMATS),
        default: "text",
        about: "The format of logged plans",
    },
    number("auto_explain.log_min_duration", -1, "-1", "Milliseconds from which on plans are logged"),
    flag("auto_explain.log_nested_statements", "off", "Plans of statements within functions are logged, too"),
    flag("auto_explain.log_triggers", "off", "Logged plans come with figures about triggers"),
    flag("auto_explain.log_verbose", "off", "Logged plans are verbose"),
    flag("log_connections", "on", "Attempts to log in are logged"),
    flag("log_lock_waits", "on", "Waiting for a lock for longer than a second is logged"),
    number("log_min_duration_statement", -1, "2000", "Milliseconds from which on statements are logged"),
    Setting {
        name: "log_min_error_statement",
        kind: Kind::Word(ERRORS),
        default: "error",
        about: "Statements that fail are logged from this severity on",
    },
    Setting {
        name: "log_statement",
        kind: Kind::Word(STATEMENTS),
        default: "none",
        about: "Kinds of statements that are logged",
    },
    Setting {
        name: "track_functions",
        kind: Kind::Word(FUNCTIONS),
        default: "none",
        about: "Kinds of functions whose calls are counted",
    },
];

const fn flag(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { name, kind: Kind::Flag, default, about }
}

const fn number(name: &'static str, least: i64, default: &'static str, about: &'static str) -> Setting {
    Setting { name, kind: Kind::Number(least), default, about }
}

/// What PostgreSQL is to write for a setting that a user wants so.
pub fn written(name: &str, value: &Value) -> Result<(&'static Setting, String)> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
        let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        return Err(Error::invalid(format!(
            "The setting {name} cannot be changed here. There are: {}.",
            names.join(", ")
        )));
    };
    let text = match (setting.kind, value) {
        (Kind::Flag, Value::Bool(on)) => Some(if *on { "on" } else { "off" }.to_owned()),
        (Kind::Number(least), Value::Number(number)) => number
            .as_i64()
            .filter(|number| *number >= least && i32::try_from(*number).is_ok())
            .map(|n| n.to_string()),
        (Kind::Word(words), Value::String(word)) => {
            words.iter().find(|(known, _)| known == word).map(|(known, _)| (*known).to_owned())
        }
        _ => None,
    };
    let expected = || match setting.kind {
        Kind::Flag => "true or false".to_owned(),
        Kind::Number(least) => format!("a whole number, {least} or more"),
        Kind::Word(words) => words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", "),
    };
    let text =
        text.ok_or_else(|| Error::invalid(format!("{name} cannot be {value}: it can be {}.", expected())))?;
    Ok((setting, text))
}

/// PostgreSQL's own name and value for a setting; `None` for its own default. That plans are logged is a
/// library that sessions load.
pub fn in_postgres<'s>(setting: &Setting, text: &'s str) -> (&'static str, Option<&'s str>) {
    match (setting.name, text) {
        (AUTO_EXPLAIN, "on") => (LIBRARIES, Some(AUTO_EXPLAIN)),
        (AUTO_EXPLAIN, _) => (LIBRARIES, None),
        (name, text) => (name, Some(text)),
    }
}

/// The value of a setting among those that a server has written down.
pub fn from_postgres<'s>(setting: &Setting, known: &'s BTreeMap<String, String>) -> &'s str {
    if setting.name == AUTO_EXPLAIN {
        return known
            .get(LIBRARIES)
            .map_or("off", |loaded| if loaded == AUTO_EXPLAIN { "on" } else { "off" });
    }
    known.get(setting.name).map_or(setting.default, String::as_str)
}

const AUTO_EXPLAIN: &str = "auto_explain";
const LIBRARIES: &str = "session_preload_libraries";

impl Setting {
    /// Reads what PostgreSQL has written.
    pub fn read(&self, text: &str) -> Value {
        match self.kind {
            Kind::Flag => Value::Bool(matches!(text, "on" | "true" | "yes" | "1")),
            Kind::Number(_) => {
                text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from)
            }
            Kind::Word(_) => Value::String(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_checked_and_come_back() {
        for (name, value, text) in [
            ("log_connections", json!(false), "off"),
            ("log_min_duration_statement", json!(-1), "-1"),
            ("log_statement", json!("ddl"), "ddl"),
        ] {
            let (setting, written) = written(name, &value).unwrap();
            assert_eq!(written, text);
            assert_eq!(setting.read(&written), value);
        }
        for (name, value, words) in [
            ("log_connections", json!("no"), "true or false"),
            ("log_min_duration_statement", json!(-2), "-1 or more"),
            ("log_statement", json!("most"), "none, ddl, mod, all"),
            ("shared_buffers", json!(1), "cannot be changed here"),
        ] {
            let error = written(name, &value).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn defaults_are_values() {
        for setting in SETTINGS {
            let value = setting.read(setting.default);
            assert_eq!(written(setting.name, &value).unwrap().1, setting.default, "{}", setting.name);
        }
    }
}
