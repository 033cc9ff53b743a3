//! How one resource names another.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A resource by its id alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRef {
    pub id: Uuid,
}

/// A resource by id and name: region, stack, team, dyno size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRef {
    pub id: Uuid,
    pub name: String,
}

/// An app by id and name.
pub type AppRef = NamedRef;

/// An account by id and e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRef {
    pub id: Uuid,
    pub email: String,
}

/// How a request body names a resource: plainly (`"cedar"`), or as an object with an `id`, a
/// `name` or an `email`. Heroku takes any of these, and clients use all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a name or an object with an id, a name or an email")]
pub enum Identity {
    Plain(String),
    Id { id: String },
    Name { name: String },
    Email { email: String },
}

impl Identity {
    /// The text itself, whichever way it was given.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Plain(text)
            | Self::Id { id: text }
            | Self::Name { name: text }
            | Self::Email { email: text } => text,
        }
    }
}

impl From<&str> for Identity {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

/// A number that some clients send as text: the CLI sends quantities as `"2"` or `"+1"` and the
/// life of a token as `"3600"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a whole number or text")]
pub enum NumberOrText {
    Number(i64),
    Text(String),
}

impl std::fmt::Display for NumberOrText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text.trim()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn identities_come_in_every_form() {
        for value in [json!("x"), json!({"id": "x"}), json!({"name": "x"}), json!({"email": "x", "y": 1})] {
            assert_eq!(serde_json::from_value::<Identity>(value).unwrap().as_str(), "x");
        }
        assert!(serde_json::from_value::<Identity>(json!(7)).is_err());
    }
}
