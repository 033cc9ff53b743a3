//! Apps: `/apps`.

use crate::{Identity, NamedRef, Time, UserRef};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    pub id: Uuid,
    pub name: String,
    /// Automated certificate management.
    pub acm: bool,
    pub archived_at: Option<Time>,
    pub base_image_name: Option<String>,
    /// The stack of the next build.
    pub build_stack: NamedRef,
    pub buildpack_provided_description: Option<String>,
    /// Cloud Native buildpacks of the current image; `null` for slugs.
    pub buildpacks: Option<Vec<CloudNativeBuildpack>>,
    /// Architectures of the current image.
    pub current_build_architecture: Vec<String>,
    pub created_at: Time,
    /// `cedar` or `fir`.
    pub generation: String,
    pub git_url: String,
    pub internal_routing: Option<bool>,
    pub maintenance: bool,
    pub owner: UserRef,
    pub organization: Option<NamedRef>,
    pub team: Option<NamedRef>,
    pub region: NamedRef,
    pub released_at: Option<Time>,
    /// Bytes.
    pub repo_size: Option<u64>,
    /// Bytes.
    pub slug_size: Option<u64>,
    pub space: Option<NamedRef>,
    /// The stack of the current slug.
    pub stack: NamedRef,
    pub updated_at: Time,
    pub web_url: Option<String>,
}

/// A Cloud Native buildpack that took part in making an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudNativeBuildpack {
    pub id: String,
    pub version: String,
    pub homepage: String,
}

/// Body of `POST /apps`; an empty one makes an app with a generated name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Create {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<Identity>,
}

/// Body of `PATCH /apps/{app}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Update {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_stack: Option<Identity>,
}

/// An app as `POST /filters/apps` answers it: with what concerns apps of teams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilteredApp {
    #[serde(flatten)]
    pub app: App,
    /// Whether whoever asks has joined an app of their team.
    pub joined: bool,
    /// Whether an app of a team is closed to members who have not joined it.
    pub locked: bool,
}

/// Body of `POST /filters/apps`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    #[serde(rename = "in")]
    pub within: FilterIn,
}

/// The sets a filter selects from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterIn {
    pub id: Vec<Uuid>,
}
