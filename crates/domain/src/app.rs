//! Apps and what hangs on them without making a release.

use crate::{AccountId, AddonId, AppId, AppName, CollaboratorId, DomainId, DrainId, ReleaseId};
use jiff::Timestamp;
use std::fmt;

/// An app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    pub name: AppName,
    pub owner: AccountId,
    /// While on, the router answers every request with the maintenance page (H80).
    pub maintenance: bool,
    /// The stack that the next build uses, for example `kigo-13`.
    pub build_stack: String,
    /// The stack of the current slug.
    pub stack: String,
    /// The release whose dynos run; `None` until the first one succeeded.
    pub current_release: Option<ReleaseId>,
    /// What detected the last successful build, for example `Node.js`.
    pub buildpack_provided_description: Option<String>,
    /// Bytes of the app's git repository, as last measured.
    pub repo_size: Option<u64>,
    /// Bytes of the current slug.
    pub slug_size: Option<u64>,
    pub released_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// One entry of an app's ordered list of buildpacks, as the user wrote it: a name such as
/// `heroku/nodejs`, or an address of a git repository or a `.tgz`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct BuildpackRef(pub String);

/// A host name that routes to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    pub id: DomainId,
    pub app: AppId,
    /// Lower-case ASCII host name (IDNA A-labels), without a trailing dot.
    pub hostname: String,
    /// False for the one default domain that the platform made.
    pub custom: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A place to which an app's log lines are sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Drain {
    pub id: DrainId,
    pub app: AppId,
    /// A secret: it often holds a password.
    pub url: String,
    /// `d.<uuid>`, which names the drain to its receiver.
    pub token: String,
    /// The add-on that it goes with; `None` for one of the user's.
    pub addon: Option<AddonId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("id", &self.id).field("app", &self.app).finish_non_exhaustive()
    }
}

/// A person's place on an app; the owner has one too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collaborator {
    pub id: CollaboratorId,
    pub app: AppId,
    pub account: AccountId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What is to be cleared away outside the database, kept until it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chore {
    pub id: uuid::Uuid,
    pub kind: ChoreKind,
    /// Not necessarily an app that exists any more.
    pub app: AppId,
    pub app_name: AppName,
    pub created_at: Timestamp,
}

/// Which things are to be cleared away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChoreKind {
    /// Everything of a destroyed app: containers, repository, log, builds' output, caches.
    AppDestroyed,
    /// The app's build cache.
    PurgeCache,
}

impl ChoreKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppDestroyed => "app-destroyed",
            Self::PurgeCache => "purge-cache",
        }
    }

    /// Reads that word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::AppDestroyed, Self::PurgeCache].into_iter().find(|kind| kind.as_str() == text)
    }
}
