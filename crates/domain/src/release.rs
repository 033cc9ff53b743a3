//! Releases and slugs: what runs, frozen and numbered.

use crate::{AccountId, AppId, Digest, ProcessType, ReleaseId, SlugId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Config vars in name order. Values are secrets: this type has no `Debug` that shows them.
#[derive(Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ConfigVars(pub BTreeMap<String, String>);

impl std::fmt::Debug for ConfigVars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// An image that a process type runs instead of the slug's common one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeImage {
    /// The OCI image's manifest.
    pub image: Digest,
    /// The process type's command is what the image itself names (`ENTRYPOINT` and `CMD`), and not
    /// a text for a shell.
    pub own_command: bool,
}

/// What a release runs: the image that a build made and the process types found in it, or an image
/// for each process type of a container app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug {
    pub id: SlugId,
    pub app: AppId,
    /// The OCI image's manifest. `None` while a client has created the slug but not uploaded it, and
    /// for a container app.
    pub image: Option<Digest>,
    /// The process types that run images of their own; others run `image`.
    pub images: BTreeMap<ProcessType, TypeImage>,
    /// Digest of the app layer as the Platform API shows it, `SHA256:<hex>`.
    pub checksum: Option<String>,
    /// Compressed bytes of the app layer.
    pub size: Option<u64>,
    pub commit: Option<String>,
    pub commit_description: Option<String>,
    pub buildpack_provided_description: Option<String>,
    pub process_types: BTreeMap<ProcessType, String>,
    pub stack: String,
    /// Unguessable part of the upload address.
    pub upload_key: String,
    /// Its image was given up to save space; releases of it cannot be rolled back to.
    pub expired: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Slug {
    /// Whether there is something to run.
    pub fn has_image(&self) -> bool {
        self.image.is_some() || !self.images.is_empty()
    }

    /// The image of a process type's own, if it has one.
    pub fn own_image(&self, process_type: &ProcessType) -> Option<TypeImage> {
        self.images.get(process_type).copied()
    }

    /// The image for what is no process type, such as `heroku run`: the common one, else that of
    /// `web`, else the first one.
    pub fn any_image(&self) -> Option<Digest> {
        let of_web = || self.images.get(&ProcessType::web());
        self.image.or_else(|| of_web().or_else(|| self.images.values().next()).map(|own| own.image))
    }
}

/// Where a release stands. `Pending` means that its release command has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseStatus {
    Pending,
    Succeeded,
    Failed,
    Expired,
}

impl ReleaseStatus {
    /// The Platform API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// Reads the Platform API's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed, Self::Expired].into_iter().find(|s| s.as_str() == text)
    }
}

/// One release: a slug and the config vars it runs with. Its config vars are kept by the store,
/// sealed, and read apart from this row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub id: ReleaseId,
    pub app: AppId,
    /// From 1, without gaps, in the order of creation.
    pub version: u32,
    pub description: String,
    pub user: AccountId,
    pub slug: Option<SlugId>,
    pub status: ReleaseStatus,
    /// Unguessable part of the release command's output address; `None` without such a command.
    pub output_key: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
