//! Names that users choose, parsed once. The rules are Heroku's, from the Platform API schema
//! (app, formation type) and the Dev Center (config vars).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a name was refused. The text is meant for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(pub String);

macro_rules! text_name {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    )+};
}

text_name! {
    /// An app's name: 3 to 30 characters of `[a-z0-9-]`, starting with a letter, not ending with
    /// a dash. It becomes a label of a host name, so nothing else is allowed.
    AppName
    /// A process type of a formation: `[A-Za-z0-9_-]`, 1 to 128 characters.
    ProcessType
    /// A config var's name: what a POSIX shell accepts as a variable (`[A-Za-z_][A-Za-z0-9_]*`,
    /// at most 256 characters), without the reserved prefix `HEROKU_`.
    ConfigKey
}

impl AppName {
    /// Parses an app name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bytes = text.as_bytes();
        let shape = matches!(bytes.first(), Some(b'a'..=b'z'))
            && matches!(bytes.last(), Some(b'a'..=b'z' | b'0'..=b'9'))
            && bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !(3..=30).contains(&bytes.len()) {
            return Err(NameError("Name must be between 3 and 30 characters.".into()));
        }
        if !shape {
            return Err(NameError(
                "Name must start with a letter, end with a letter or digit and can only contain \
                 lowercase letters, digits, and dashes."
                    .into(),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl ProcessType {
    /// Parses a process type.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if text.is_empty() || text.len() > 128 || !text.as_bytes().iter().all(word) {
            return Err(NameError(format!(
                "Process type {text:?} is not valid: use 1 to 128 letters, digits, dashes or underscores."
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// The type whose dynos receive HTTP traffic.
    pub fn web() -> Self {
        Self("web".into())
    }

    /// The type that runs once before a release becomes current.
    pub fn release() -> Self {
        Self("release".into())
    }

    /// The type of the one-off that runs a setup's `postdeploy` script.
    pub fn postdeploy() -> Self {
        Self("postdeploy".into())
    }

    /// The type of the one-offs that run jobs of the scheduler.
    pub fn scheduler() -> Self {
        Self("scheduler".into())
    }

    /// Whether this is the routed type.
    pub fn is_web(&self) -> bool {
        self.0 == "web"
    }
}

impl ConfigKey {
    /// Parses a config var's name as a user gives it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let head = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        let tail = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !head || !tail || text.len() > 256 {
            return Err(NameError(format!(
                "Config var name {text:?} is not valid: start with a letter or underscore and use only letters, digits and underscores."
            )));
        }
        if text.starts_with("HEROKU_") {
            return Err(NameError(format!(
                "Config var name {text} is not valid: the prefix HEROKU_ is reserved for the platform."
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A dyno's name in its app, as `heroku ps` and the logs show it: `web.1`, `run.4242`.
///
/// A name is reused by the dyno's successor, and for a moment two dynos can carry it; only the
/// [`crate::DynoId`] is unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DynoName {
    /// The process type, or `run`, `release`, `scheduler` for one-offs.
    pub process_type: ProcessType,
    /// The number after the dot, from 1 for formation dynos.
    pub number: u32,
}

impl DynoName {
    /// Names dyno `number` of `process_type`.
    pub fn new(process_type: ProcessType, number: u32) -> Self {
        Self { process_type, number }
    }
}

impl fmt::Display for DynoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.process_type, self.number)
    }
}

impl FromStr for DynoName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError(format!("{text:?} is not a dyno name like web.1."));
        let (process_type, number) = text.rsplit_once('.').ok_or_else(bad)?;
        Ok(Self {
            process_type: ProcessType::parse(process_type).map_err(|_| bad())?,
            number: number.parse().map_err(|_| bad())?,
        })
    }
}

impl TryFrom<String> for DynoName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<DynoName> for String {
    fn from(name: DynoName) -> String {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_names() {
        for good in ["abc", "my-production-app", "a1-b2", "a23456789012345678901234567890"] {
            assert_eq!(AppName::parse(good).unwrap().as_str(), good);
        }
        for bad in
            ["", "ab", "1abc", "Abc", "abc-", "-abc", "a_c", "a.c", "a234567890123456789012345678901", "é23"]
        {
            assert!(AppName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn config_keys() {
        for good in ["A", "_A", "NODE_ENV", "a1"] {
            assert!(ConfigKey::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "1A", "A-B", "A B", "A=B", "HEROKU_APP", "Ä"] {
            assert!(ConfigKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dyno_names() {
        let name: DynoName = "my-type.12".parse().unwrap();
        assert_eq!((name.process_type.as_str(), name.number), ("my-type", 12));
        assert_eq!(name.to_string(), "my-type.12");
        for bad in ["web", "web.", ".1", "web.x", "we b.1", "web.-1"] {
            assert!(bad.parse::<DynoName>().is_err(), "{bad}");
        }
    }
}
