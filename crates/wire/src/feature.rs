//! Switches of apps and accounts: `/apps/{app}/features`, `/account/features`.

use crate::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A switch. Apps and accounts have the same shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    pub id: Uuid,
    pub name: String,
    pub description: String,
    pub display_name: String,
    pub doc_url: String,
    pub enabled: bool,
    pub feedback_email: String,
    /// `general` is listed by `heroku features`, anything else by `heroku labs`.
    pub state: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Body of `PATCH …/features/{feature}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    pub enabled: bool,
}
