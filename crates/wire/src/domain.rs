//! Domains: `/apps/{app}/domains`.

use crate::{AppRef, NamedRef, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A host name that routes to an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    pub id: Uuid,
    pub acm_status: Option<String>,
    pub acm_status_reason: Option<String>,
    pub app: AppRef,
    /// What a DNS record of this name should point to; `null` for the default domain.
    pub cname: Option<String>,
    pub hostname: String,
    /// `heroku` for the default domain, else `custom`.
    pub kind: String,
    /// `none` when there is nothing to wait for.
    pub status: String,
    pub sni_endpoint: Option<NamedRef>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Body of `POST /apps/{app}/domains`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    pub hostname: String,
    #[serde(default)]
    pub sni_endpoint: Option<String>,
}
