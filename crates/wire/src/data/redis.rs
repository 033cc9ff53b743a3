//! Key-value stores: `/redis/v0/databases`.

use crate::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    pub addon_id: String,
    pub name: String,
    /// Without the service's name: `mini`.
    pub plan: String,
    pub created_at: Time,
    pub formation: Formation,
    pub metaas_source: String,
    pub port: u16,
    /// Null until it is there.
    pub resource_url: Option<String>,
    pub info: Vec<Info>,
    pub version: String,
    pub prefer_native_tls: bool,
}

/// The servers of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Formation {
    pub id: String,
    pub primary: Option<String>,
}

/// A line of what is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Info {
    pub name: String,
    pub values: Vec<String>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    pub value: Value,
    pub desc: String,
    pub default: Value,
    /// What it may be, and what each means.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

/// Which version is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Upgrade {
    #[serde(default)]
    pub version: Option<String>,
}

/// How something went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub message: String,
}

/// Whether it is worth waiting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    pub message: String,
    #[serde(rename = "waiting?")]
    pub waiting: bool,
}
