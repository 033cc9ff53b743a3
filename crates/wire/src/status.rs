//! `GET /api/v4/current-status`, which `heroku status` reads from the status host.

use serde::{Deserialize, Serialize};

/// How the platform is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurrentStatus {
    pub status: Vec<SystemStatus>,
    pub incidents: Vec<serde_json::Value>,
    pub scheduled: Vec<serde_json::Value>,
}

/// How one part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemStatus {
    /// `Apps`, `Data`, `Tools`.
    pub system: String,
    /// `green`, `yellow` or `red`.
    pub status: String,
}
