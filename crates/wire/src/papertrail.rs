//! Searching logs: `/apps/{app}/papertrail/…`. Kigo's own.

use crate::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Body of `POST /apps/{app}/papertrail/sessions`, which answers as `POST /apps/{app}/log-sessions` does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// `"exact phrase" AND -foo OR (bar) program:app/web.1`
    #[serde(default)]
    pub query: String,
    /// Nothing older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Nothing from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// So many of the newest lines that match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u32>,
    /// Go on with lines to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<bool>,
}

/// A search that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    pub id: Uuid,
    pub name: String,
    pub query: String,
    pub alert: Option<Alert>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Who is told of what a search finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// `minute`, `hour` or `day`
    pub every: String,
    pub webhook: Option<String>,
    pub email: Option<String>,
    /// When something was last sent.
    pub sent_at: Option<Time>,
    /// Why the last thing that was to be sent was not.
    pub failure: Option<String>,
}

/// Body of `POST /apps/{app}/papertrail/searches` and, for what is to change, of `PATCH …/searches/{search}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertSet>,
    /// It sends nothing any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_alert: bool,
}

/// An alert as it is asked for: with a webhook's address, or an e-mail address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSet {
    pub every: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}
