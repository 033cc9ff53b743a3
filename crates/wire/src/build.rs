//! Builds: `/apps/{app}/builds`.

use crate::{IdRef, Time, UserRef};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Build {
    pub id: Uuid,
    pub app: IdRef,
    pub buildpacks: Option<Vec<Buildpack>>,
    /// Experimental switches of the build; always empty.
    #[serde(default)]
    pub labs: serde_json::Map<String, serde_json::Value>,
    /// Address of the output, which follows a running build.
    pub output_stream_url: String,
    pub source_blob: SourceBlob,
    pub release: Option<IdRef>,
    pub slug: Option<IdRef>,
    pub stack: String,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    pub user: UserRef,
    pub created_at: Time,
    pub updated_at: Time,
}

/// A buildpack of one build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Buildpack {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Where a build's source is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBlob {
    /// Address of a gzipped tarball.
    pub url: String,
    /// `SHA256:<hex>`
    #[serde(default)]
    pub checksum: Option<String>,
    /// A commit, or whatever names the version.
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub version_description: Option<String>,
}

/// Body of `POST /apps/{app}/builds`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    pub source_blob: SourceBlob,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildpacks: Option<Vec<Buildpack>>,
}
