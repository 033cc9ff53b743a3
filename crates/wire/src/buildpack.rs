//! An app's buildpacks: `/apps/{app}/buildpack-installations`.

use serde::{Deserialize, Serialize};

/// One place in the order of buildpacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildpackInstallation {
    /// From 0.
    pub ordinal: u32,
    pub buildpack: Buildpack,
}

/// A buildpack by its address, and by the name it goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buildpack {
    /// An address, or `urn:buildpack:heroku/nodejs` for a named one.
    pub url: String,
    /// The short name, or the address again.
    pub name: String,
}

/// Body of `PUT /apps/{app}/buildpack-installations`: the whole new order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    pub updates: Vec<Entry>,
}

/// One entry of the new order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// A name such as `heroku/nodejs`, or an address. The CLI leaves it out when the registry does
    /// not know the name it was given.
    #[serde(default)]
    pub buildpack: Option<String>,
}
