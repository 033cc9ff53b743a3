//! Services that partners run: `/partners`, which is Kigo's own, and `/oauth/token`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A registered service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    pub id: Uuid,
    pub name: String,
    pub human_name: String,
    pub base_url: String,
    pub sso_url: String,
    /// Whole names, `memo:small`.
    pub plans: Vec<String>,
    /// Only in the answer to a registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
}

/// Body of `POST /partners`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// The text of `addon-manifest.json`.
    pub manifest: String,
    #[serde(default)]
    pub plans: Vec<Plan>,
    #[serde(default)]
    pub test: bool,
}

/// A plan of a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub name: String,
    /// US cents a month.
    #[serde(default)]
    pub cents: u64,
}

/// Body of `POST /oauth/token`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Exchange {
    pub grant_type: String,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub refresh_token: Option<String>,
    pub client_secret: String,
}

/// What that gives.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    pub access_token: String,
    pub refresh_token: String,
    /// Seconds.
    pub expires_in: i64,
    /// `Bearer`
    pub token_type: String,
    pub user_id: Uuid,
    pub session_nonce: Option<String>,
}
