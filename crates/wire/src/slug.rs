//! Slugs: `/apps/{app}/slugs`.

use crate::{Identity, NamedRef, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A slug: a built app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slug {
    pub id: Uuid,
    pub blob: Blob,
    pub buildpack_provided_description: Option<String>,
    /// `SHA256:<hex>`
    pub checksum: Option<String>,
    pub commit: Option<String>,
    pub commit_description: Option<String>,
    /// Process type → command.
    pub process_types: BTreeMap<String, String>,
    /// Bytes.
    pub size: Option<u64>,
    pub stack: NamedRef,
    pub created_at: Time,
    pub updated_at: Time,
    pub deleted_at: Option<Time>,
}

/// How to reach a slug's tarball.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// `PUT` until it was uploaded, then `GET`.
    pub method: String,
    pub url: String,
}

/// Body of `POST /apps/{app}/slugs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    pub process_types: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildpack_provided_description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Identity>,
}
