//! Log drains: `/apps/{app}/log-drains`, `/addons/{addon}/log-drains`.

use crate::{AppRef, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A place to which an app's log goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDrain {
    pub id: Uuid,
    /// The add-on that owns it; `null` for one of the user's.
    pub addon: Option<crate::NamedRef>,
    pub app: Option<AppRef>,
    /// `d.<uuid>`
    pub token: String,
    pub url: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Body of `POST /apps/{app}/log-drains`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    pub url: String,
}

/// Body of `PUT /addons/{addon}/log-drains/{drain}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    pub url: String,
}
