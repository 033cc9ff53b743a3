//! OAuth authorizations: `/oauth/authorizations`.

use crate::{IdRef, NumberOrText, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An authorization, through which a program acts for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Authorization {
    pub id: Uuid,
    pub access_token: Option<AccessToken>,
    /// The OAuth client it was given to; `null` for one made by its own user.
    pub client: Option<serde_json::Value>,
    pub description: String,
    pub grant: Option<serde_json::Value>,
    pub refresh_token: Option<serde_json::Value>,
    pub scope: Vec<String>,
    pub session: Option<IdRef>,
    pub user: User,
    pub created_at: Time,
    pub updated_at: Time,
}

/// The usable part of an authorization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    pub id: Uuid,
    /// Seconds until it stops working; `null` is never.
    pub expires_in: Option<i64>,
    /// Whole only in the answer that made it; afterwards its beginning is replaced by asterisks.
    pub token: String,
    /// Version of the token's form.
    pub version: u32,
}

/// Whom an authorization acts for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: Uuid,
    pub email: String,
    pub full_name: Option<String>,
}

/// Body of `POST /oauth/authorizations`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Create {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Seconds; the CLI sends text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<NumberOrText>,
    /// Names of scopes; none means `global`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<String>>,
}

/// Body of `PATCH /oauth/authorizations/{authorization}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Update {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
