//! Log sessions: `/apps/{app}/log-sessions`.

use crate::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Permission to read a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSession {
    pub id: Uuid,
    /// Address of the stream, secret included.
    pub logplex_url: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Body of `POST /apps/{app}/log-sessions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Create {
    /// A dyno (`web.1`) or a process type (`web`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dyno: Option<String>,
    /// A process type, in the newer form of the request.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub process_type: Option<String>,
    /// How many past lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u32>,
    /// `app` or `heroku`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether to go on with new lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail: Option<bool>,
}
