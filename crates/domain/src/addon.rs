//! Add-ons: services that apps use, and how apps are attached to them. The rules for names are
//! Heroku's (Platform API schema: add-on, add-on-attachment).

use crate::{AccountId, AddonId, AppId, AttachmentId, CredentialId, ErrandId, InstanceId};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

/// Where an add-on stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddonState {
    /// It was asked for and is not there yet.
    Provisioning,
    Provisioned,
    /// It is being taken away. Nobody sees it any more.
    Deprovisioning,
    /// It could not be provisioned. What there was of it is taken away.
    Failed,
}

impl AddonState {
    const ALL: [Self; 4] = [Self::Provisioning, Self::Provisioned, Self::Deprovisioning, Self::Failed];

    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Provisioned => "provisioned",
            Self::Deprovisioning => "deprovisioning",
            Self::Failed => "failed",
        }
    }

    /// Reads what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The Platform API's word, which has none for failures.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Failed => "deprovisioned",
            other => other.as_str(),
        }
    }

    /// Whether users still see it as theirs.
    pub fn is_there(self) -> bool {
        matches!(self, Self::Provisioning | Self::Provisioned)
    }
}

/// One add-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addon {
    pub id: AddonId,
    /// The app that pays for it. May be gone while it is being taken away.
    pub app: AppId,
    /// Who asked for it, in whose name the releases are made that it causes.
    pub user: AccountId,
    /// The service's name in the catalog, `heroku-postgresql`.
    pub service: String,
    /// The plan's name within the service, `essential-0`.
    pub plan: String,
    /// Unique in the installation, `postgresql-curved-12345`.
    pub name: String,
    pub state: AddonState,
    /// Where it lives; `None` for a service that has no containers.
    pub instance: Option<InstanceId>,
    /// Attempts at the present state's work that failed.
    pub attempts: u32,
    /// Not before then is it tried again.
    pub retry_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub failure: Option<String>,
    /// It holds more than its plan allows, and is not let grow.
    pub over_limit: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An app's way to an add-on. Its config vars carry its name: `DATABASE` gives `DATABASE_URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub id: AttachmentId,
    pub addon: AddonId,
    pub app: AppId,
    /// Unique in the app.
    pub name: String,
    /// `credential:NAME` for another credential than the add-on's own, `connection-pooling:default` for
    /// the pool of connections before it.
    pub namespace: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Attachment {
    /// The credential by which it gets in.
    pub fn credential(&self) -> &str {
        let named = self.namespace.as_deref().and_then(|namespace| namespace.strip_prefix("credential:"));
        named.unwrap_or(Credential::DEFAULT)
    }

    /// The namespace of attachments that lead to a pool of connections.
    pub const POOLING: &str = "connection-pooling:default";

    /// Whether it leads to the pool of connections.
    pub fn is_pooled(&self) -> bool {
        self.namespace.as_deref() == Some(Self::POOLING)
    }
}

/// One of the ways to log in at an add-on. Its values are secrets: no `Debug` shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub addon: AddonId,
    pub name: String,
    /// By the names that the service's definition gives them, `user`, `password`.
    pub values: BTreeMap<String, String>,
    /// It works. `false` while it is being made.
    pub active: bool,
    /// Values that are being put in the place of the old ones.
    pub next: Option<BTreeMap<String, String>>,
    /// It is being taken away.
    pub removed: bool,
    /// Attempts at what is being done that failed.
    pub attempts: u32,
    /// Not before then is it tried again.
    pub retry_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Credential {
    /// The one that every add-on has.
    pub const DEFAULT: &str = "default";

    /// Whether its service is to be told of it.
    pub fn is_pending(&self) -> bool {
        !self.active || self.removed || self.next.is_some()
    }

    /// Whether it gets other values than it had. The same ones are for a service that is to learn of a
    /// change of plan.
    pub fn is_rotated(&self) -> bool {
        self.next.as_ref().is_some_and(|next| *next != self.values)
    }

    /// The data API's word for where it stands.
    pub fn state(&self) -> &'static str {
        match (self.removed, self.active, &self.next) {
            (true, ..) => "revoking",
            (_, false, _) => "provisioning",
            (.., Some(_)) if self.is_rotated() => "rotating",
            _ => "active",
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("addon", &self.addon)
            .field("name", &self.name)
            .field("values", &self.values.keys())
            .finish_non_exhaustive()
    }
}

/// A container with a volume in which a service runs: one add-on's own, or shared by those of small
/// plans. Its values are secrets: no `Debug` shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Instance {
    pub id: InstanceId,
    pub service: String,
    /// The plan of the one add-on that it is for; `None` if it is shared.
    pub plan: Option<String>,
    /// Where it is found as long as it lives.
    pub address: Ipv4Addr,
    pub values: BTreeMap<String, String>,
    /// It is to be taken away with all it holds.
    pub removed: bool,
    /// Starts in a row that came to nothing.
    pub failures: u32,
    /// Not before then is it started again.
    pub retry_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("id", &self.id)
            .field("service", &self.service)
            .field("plan", &self.plan)
            .field("address", &self.address)
            .field("removed", &self.removed)
            .finish_non_exhaustive()
    }
}

/// What a hook is to do once at an add-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    pub id: ErrandId,
    pub addon: AddonId,
    pub kind: ErrandKind,
    /// Attempts that failed.
    pub attempts: u32,
    /// Not before then is it tried again.
    pub retry_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub failure: Option<String>,
    /// It is not tried again; who waits for it is told why.
    pub given_up: bool,
    pub created_at: Timestamp,
}

/// Which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrandKind {
    /// Tells the service what users have set.
    Settings,
    /// Lets its statistics begin anew.
    ResetStats,
    /// Lets it follow no other one any more.
    Unfollow,
}

impl ErrandKind {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::ResetStats => "reset_stats",
            Self::Unfollow => "unfollow",
        }
    }

    /// Reads what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Settings, Self::ResetStats, Self::Unfollow].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Checks the name of an add-on. The error is meant for the user.
pub fn check_addon_name(name: &str) -> Result<(), crate::NameError> {
    let head = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let tail = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if head && tail && (2..=256).contains(&name.len()) {
        return Ok(());
    }
    Err(crate::NameError(format!(
        "Add-on name {name:?} is not valid: start with a letter and use 2 to 256 letters, digits, dashes and underscores."
    )))
}

/// Checks the name of an attachment, in capital letters as it is kept. The error is meant for the user.
pub fn check_attachment_name(name: &str) -> Result<(), crate::NameError> {
    let head = name.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
    let tail = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if head && tail && name.len() <= 128 {
        return Ok(());
    }
    Err(crate::NameError(format!(
        "Attachment name {name:?} is not valid: start with a letter and use at most 128 letters, digits and underscores."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_they_are_written() {
        for state in AddonState::ALL {
            assert_eq!(AddonState::parse(state.as_str()), Some(state));
        }
        assert_eq!(AddonState::Failed.shown(), "deprovisioned");
    }

    #[test]
    fn names() {
        for good in ["postgresql-curved-12345", "acme_db", "Db"] {
            assert!(check_addon_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "1db", "a b", "a.b", "-a"] {
            assert!(check_addon_name(bad).is_err(), "{bad}");
        }
        assert!(check_attachment_name("HEROKU_POSTGRESQL_IVORY").is_ok());
        for bad in ["", "database", "1DB", "A-B", "_A"] {
            assert!(check_attachment_name(bad).is_err(), "{bad}");
        }
    }
}
