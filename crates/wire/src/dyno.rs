//! Dynos: `/apps/{app}/dynos`.

use crate::{AppRef, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A dyno.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dyno {
    pub id: Uuid,
    pub app: AppRef,
    /// Where a client attaches: `rendezvous://host:port/secret`. Only in the answer that created
    /// the dyno.
    pub attach_url: Option<String>,
    pub command: String,
    /// `web.1`
    pub name: String,
    pub release: ReleaseRef,
    pub size: String,
    /// `starting`, `up`, `idle`, `crashed` or `down`.
    pub state: String,
    #[serde(rename = "type")]
    pub process_type: String,
    pub created_at: Time,
    /// When the state last changed.
    pub updated_at: Time,
}

/// The release a dyno runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRef {
    pub id: Uuid,
    pub version: u32,
}

/// Body of `POST /apps/{app}/dynos`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Create {
    pub command: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<bool>,
    /// Values are text or numbers (`COLUMNS`, `LINES`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_no_tty: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub process_type: Option<String>,
    /// Seconds, at most 86,400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_live: Option<u32>,
}
