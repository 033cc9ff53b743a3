//! Builds: from source to slug.

use crate::{AccountId, AppId, BuildId, BuildpackRef, ConfigVars, Digest, ReleaseId, SlugId, SourceId};
use jiff::Timestamp;

/// Where a build stands. `Pending` covers waiting and running, as in the Platform API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuildStatus {
    Pending,
    Succeeded,
    Failed,
}

impl BuildStatus {
    /// The Platform API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Reads the Platform API's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed].into_iter().find(|s| s.as_str() == text)
    }
}

/// One build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    pub id: BuildId,
    pub app: AppId,
    pub user: AccountId,
    pub status: BuildStatus,
    /// Digest of the source tarball in the blob store. `None` while it is still to be downloaded
    /// from `source_url`.
    pub source: Option<Digest>,
    /// The address the source came or comes from; for a git push, a description of it.
    pub source_url: String,
    /// `SHA256:<hex>` as the client announced it; checked after the download.
    pub source_checksum: Option<String>,
    /// The commit or other version the client named.
    pub source_version: Option<String>,
    pub source_version_description: Option<String>,
    /// Buildpacks given for this build alone; empty means the app's own, or detection.
    pub buildpacks: Vec<BuildpackRef>,
    pub stack: String,
    /// The release and slug that a successful build made.
    pub release: Option<ReleaseId>,
    pub slug: Option<SlugId>,
    /// Unguessable part of the output stream's address.
    pub output_key: String,
    /// Of a build whose app is tested, and not released.
    pub test: Option<TestBuild>,
    /// Set when somebody asked for the build to end.
    pub cancel_requested: bool,
    /// When a builder took the build up; `None` while it waits.
    pub started_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a build has besides whose app is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestBuild {
    /// The environment that the tests are given besides that of the app's files.
    pub env: ConfigVars,
    pub branch: Option<String>,
    /// What the tests ended with; `None` until then, and if they did not run.
    pub exit_code: Option<i32>,
}

/// A place to upload a source tarball to, and what was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub id: SourceId,
    pub account: AccountId,
    /// Unguessable part of the address that takes the upload.
    pub upload_key: String,
    /// Unguessable part of the address a build can read it from.
    pub download_key: String,
    /// Digest of the tarball in the blob store, once it is there.
    pub digest: Option<Digest>,
    pub created_at: Timestamp,
}
