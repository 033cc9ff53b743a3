//! Webhooks: who is told of what happens to an app, and how that went.

use crate::{AddonId, AppId, WebhookAttemptId, WebhookDeliveryId, WebhookEventId, WebhookId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much is done to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It is tried once.
    Notify,
    /// It is tried until it succeeds, for some days, in order.
    Sync,
}

impl Level {
    /// The Platform API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Sync => "sync",
        }
    }

    /// Reads that word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Notify, Self::Sync].into_iter().find(|level| level.as_str() == text)
    }
}

/// One webhook. Where it goes is a secret, for addresses hold passwords: no `Debug` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: WebhookId,
    /// The app that it is about.
    pub app: AppId,
    /// The add-on whose partner has made it; `None` for one of a user's.
    pub addon: Option<AddonId>,
    /// Of which entities, `api:release`.
    pub include: Vec<String>,
    pub level: Level,
    pub url: String,
    /// What deliveries are signed with.
    pub secret: String,
    /// Sent as `Authorization`.
    pub authorization: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("app", &self.app)
            .field("include", &self.include)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    pub id: WebhookEventId,
    pub app: AppId,
    /// The add-on that it is about, if it is about one.
    pub addon: Option<AddonId>,
    /// `api:release`
    pub entity: String,
    /// What is told, as JSON.
    pub payload: String,
    /// Grows in the whole installation.
    pub seq: u64,
    pub created_at: Timestamp,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    Pending,
    /// It did not succeed yet.
    Retrying,
    Succeeded,
    Failed,
}

impl DeliveryStatus {
    const ALL: [Self; 4] = [Self::Pending, Self::Retrying, Self::Succeeded, Self::Failed];

    /// The Platform API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Reads that word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// An event on its way to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    pub id: WebhookDeliveryId,
    pub event: WebhookEventId,
    pub webhook: WebhookId,
    pub status: DeliveryStatus,
    pub attempts: u32,
    /// `None` when it is over.
    pub next_attempt_at: Option<Timestamp>,
    pub last_attempt: Option<WebhookAttempt>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookAttempt {
    pub id: WebhookAttemptId,
    /// The status that came, if any.
    pub code: Option<u16>,
    /// What went wrong, in a word: `Timeout`.
    pub error: Option<String>,
    pub at: Timestamp,
}

impl WebhookAttempt {
    /// Whether the other side has taken it.
    pub fn succeeded(&self) -> bool {
        self.code.is_some_and(|code| (200..300).contains(&code))
    }
}
