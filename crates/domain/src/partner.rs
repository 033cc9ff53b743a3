//! Services that others run: what an add-on is at its partner.

use crate::{AddonId, DrainId, PartnerId, PartnerTokenId};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// A service that a partner runs, as it was registered.
#[derive(Clone, PartialEq, Eq)]
pub struct Partner {
    pub id: PartnerId,
    /// The manifest's `id`, by which add-ons of it are ordered.
    pub name: String,
    /// What the manifest says, without secrets.
    pub manifest: String,
    /// With it the platform proves who it is to the partner, and the partner to the platform.
    pub password: String,
    /// Goes into the hash that lets users into the partner's dashboard.
    pub sso_salt: String,
    /// With it the partner trades grants for tokens.
    pub client_secret: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl fmt::Debug for Partner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partner").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is known of an add-on at its partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub addon: AddonId,
    /// The partner's name for it; never changes once told.
    pub provider_id: Option<String>,
    /// What the user asked for beside the plan.
    pub options: BTreeMap<String, String>,
    /// The partner has said that it will tell when the add-on is there.
    pub accepted: bool,
    /// Nothing is left of it there.
    pub gone: bool,
    /// Not being there then, it is given up.
    pub deadline: Timestamp,
    /// The plan that it is to be moved to.
    pub wanted_plan: Option<String>,
    /// Why it was not moved to the plan that was wanted last.
    pub plan_refused: Option<String>,
    /// What the partner says to the add-on's user.
    pub message: Option<String>,
    /// The drain that feeds the partner with the app's log.
    pub drain: Option<DrainId>,
    /// By which the partner knows that drain's lines.
    pub drain_token: String,
}

/// What a partner shows to the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerTokenKind {
    /// Goes with the order; good for the others, once.
    Grant,
    Access,
    Refresh,
}

impl PartnerTokenKind {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    /// Reads what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Grant, Self::Access, Self::Refresh].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A token that is good for one add-on, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerToken {
    pub id: PartnerTokenId,
    pub addon: AddonId,
    pub kind: PartnerTokenKind,
    /// `None` is never.
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
}
