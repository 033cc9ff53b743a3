//! Releases: `/apps/{app}/releases`.

use crate::{AppRef, IdRef, Identity, NumberOrText, Time, UserRef};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub id: Uuid,
    pub addon_plan_names: Vec<String>,
    pub app: AppRef,
    pub artifacts: Vec<Artifact>,
    /// Whether the app's dynos run this one.
    pub current: bool,
    pub description: String,
    pub eligible_for_rollback: bool,
    pub oci_image: Option<IdRef>,
    /// Address of the release command's output; `null` without such a command.
    pub output_stream_url: Option<String>,
    pub slug: Option<IdRef>,
    /// `pending`, `succeeded`, `failed` or `expired`.
    pub status: String,
    pub user: UserRef,
    pub version: u32,
    pub created_at: Time,
    pub updated_at: Time,
}

/// What a release runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// `slug` or `oci-image`.
    #[serde(rename = "type")]
    pub kind: String,
    pub id: Uuid,
}

/// Body of `POST /apps/{app}/releases`: a slug makes a new release of it, a release rolls back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Create {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An id or a version to roll back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<NumberOrText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oci_image: Option<Identity>,
}
