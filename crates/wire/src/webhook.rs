//! Webhooks: `/apps/{app}/webhooks`, `/addons/{addon}/webhooks`, their deliveries and events.

use crate::{NamedRef, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A webhook. Its secret is told once, in a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<NamedRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addon: Option<NamedRef>,
    pub include: Vec<String>,
    /// `notify` or `sync`
    pub level: String,
    pub url: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Body of `POST …/webhooks`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Create {
    pub include: Vec<String>,
    pub level: String,
    pub url: String,
    #[serde(default)]
    pub secret: Option<String>,
    #[serde(default)]
    pub authorization: Option<String>,
}

/// Body of `PATCH …/webhooks/{webhook}`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Update {
    pub include: Option<Vec<String>>,
    pub level: Option<String>,
    pub url: Option<String>,
    pub secret: Option<String>,
    pub authorization: Option<String>,
}

/// An event on its way to a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub id: Uuid,
    pub event: EventRef,
    pub webhook: WebhookRef,
    /// `pending`, `retrying`, `failed` or `succeeded`
    pub status: String,
    pub num_attempts: u32,
    pub next_attempt_at: Option<Time>,
    pub last_attempt: Option<Attempt>,
    /// By which lists are ordered.
    pub seq: u64,
    pub created_at: Time,
    pub updated_at: Time,
}

/// An event as a delivery mentions it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    pub id: Uuid,
    pub include: String,
}

/// A webhook as a delivery mentions it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookRef {
    pub id: Uuid,
    pub level: String,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub id: Uuid,
    pub code: Option<u16>,
    pub error_class: Option<String>,
    /// `succeeded` or `failed`
    pub status: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub id: Uuid,
    pub include: String,
    pub payload: Value,
    /// By which lists are ordered.
    pub seq: u64,
    pub created_at: Time,
    pub updated_at: Time,
}
