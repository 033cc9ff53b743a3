//! The buildpack registry, a host of its own on Heroku: what `heroku buildpacks:*` asks to learn
//! which names there are.

use crate::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A buildpack that goes by a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buildpack {
    pub id: Uuid,
    /// What stands before the slash.
    pub namespace: String,
    /// What stands behind it.
    pub name: String,
    pub description: String,
    /// `languages`
    pub category: String,
    /// What the CLI writes into an app's list of buildpacks for this name.
    pub blob_url: String,
    pub source: Source,
    pub support: Support,
    pub two_factor_authentication: bool,
}

/// Where a buildpack comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `github`, or another word for what has no public repository.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Who helps with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// `email`, `github`, `unsupported` or `website`.
    pub method: String,
    pub address: String,
}

/// A published version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub id: Uuid,
    /// A number on Heroku; here the version of the Kigo that it comes with.
    pub release: String,
    /// `published`
    pub status: String,
    pub license: String,
    pub created_at: Time,
}

/// What a buildpack says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readme {
    pub content: String,
    /// `utf-8` or `base64`
    pub encoding: String,
}
