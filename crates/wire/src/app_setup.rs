//! Setups of apps from an `app.json`: `/app-setups`.

use crate::{AppRef, Identity, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A setup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppSetup {
    pub id: Uuid,
    pub app: AppRef,
    /// `None` until `app.json` was read.
    pub build: Option<Build>,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    /// Why it failed.
    pub failure_message: Option<String>,
    /// What is wrong with `app.json`.
    pub manifest_errors: Vec<String>,
    /// `None` until the script has ended.
    pub postdeploy: Option<Postdeploy>,
    pub resolved_success_url: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// The build of a setup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    pub id: Uuid,
    pub status: String,
    pub output_stream_url: String,
}

/// How the `postdeploy` script ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postdeploy {
    pub output: String,
    pub exit_code: i32,
}

/// Body of `POST /app-setups`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    pub source_blob: SourceBlob,
    #[serde(default)]
    pub app: App,
    #[serde(default)]
    pub overrides: Overrides,
}

/// Where the source is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBlob {
    /// Address of a gzipped tarball.
    pub url: String,
    /// `SHA256:<hex>`
    #[serde(default)]
    pub checksum: Option<String>,
    #[serde(default)]
    pub version: Option<String>,
}

/// What the app is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    pub name: Option<String>,
    pub region: Option<Identity>,
    pub stack: Option<Identity>,
    pub organization: Option<Identity>,
    pub team: Option<Identity>,
    pub space: Option<Identity>,
    pub locked: Option<bool>,
    pub personal: Option<bool>,
}

/// What is to be otherwise than `app.json` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    pub buildpacks: Option<Vec<Buildpack>>,
    pub env: Option<BTreeMap<String, String>>,
}

/// A buildpack in place of those of `app.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buildpack {
    pub url: String,
}
