//! Databases: `/client/v11/databases/{database}`, `/postgres/v0/databases/{database}`.

use crate::Time;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    pub addon_id: Uuid,
    pub name: String,
    pub heroku_resource_id: Uuid,
    pub created_at: Time,
    pub plan: String,
    pub port: u16,
    pub database_name: String,
    pub database_user: String,
    pub database_password: String,
    /// The address with all that one needs to get in.
    pub resource_url: String,
    #[serde(rename = "waiting?")]
    pub waiting: bool,
    /// How many there are.
    pub credentials: usize,
    /// Bytes.
    pub num_bytes: u64,
    /// The address of the database that it follows.
    pub following: Option<String>,
    /// The name of the add-on that it follows.
    pub leader: Option<String>,
    /// What `pg:info` prints, in this order.
    pub info: Vec<Row>,
}

/// A line of `pg:info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub values: Vec<Value>,
    /// The values are addresses, of which the CLI prints the names of config vars.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resolve_db_name: bool,
}

/// A pool of connections that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pooling {
    /// The app that is to be attached to it.
    pub app: String,
    pub credential: Option<String>,
    /// The attachment's.
    pub name: Option<String>,
}

/// Whether a database is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitStatus {
    #[serde(rename = "waiting?")]
    pub waiting: bool,
    #[serde(rename = "error?")]
    pub error: bool,
    pub message: String,
}

/// A sentence that says what was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub message: String,
}

/// Body of `PUT …/reset`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    #[serde(default)]
    pub extensions: Option<Vec<String>>,
}

/// One setting of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub value: Value,
    pub desc: String,
    pub default: Value,
    /// What a word means, for settings that are words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

/// A way to log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub uuid: Uuid,
    pub name: String,
    /// `active`, or what is being done about it: `provisioning`, `rotating`, `revoking`.
    pub state: String,
    pub database: String,
    pub host: String,
    pub port: u16,
    pub credentials: Vec<Login>,
}

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    pub user: String,
    pub password: String,
    pub state: String,
}

/// Body of `POST …/credentials`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateCredential {
    pub name: String,
}

/// Body of `POST /reports`. What the client has found out itself is not needed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CreateReport {
    pub app: String,
    /// The name of the config var that leads to the database.
    pub database: String,
    pub url: String,
}

/// What was found out about a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub id: Uuid,
    pub app: String,
    pub database: String,
    pub created_at: Time,
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: String,
    /// `red`, `yellow`, `green` or `skipped`.
    pub status: &'static str,
    pub results: Results,
}

/// What a check found: a table, or for one that was not made the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Results {
    Table(Vec<Columns>),
    Reason(Columns),
}

/// Names and values. The CLI shows them in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(pub Vec<(String, String)>);

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// One thing that a database says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    pub name: String,
    pub value: String,
}
