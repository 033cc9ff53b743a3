//! Dyno sizes: `/dyno-sizes`.

use crate::NamedRef;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A size a dyno can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DynoSize {
    pub id: Uuid,
    pub name: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// Minimum share of the CPU.
    pub compute: u32,
    pub can_autoscale: bool,
    pub cost: Option<Cost>,
    pub dedicated: bool,
    pub precise_dyno_units: f64,
    /// Gigabytes.
    pub memory: f64,
    pub private_space_only: bool,
    pub generation: NamedRef,
    pub infrastructure_tier: String,
    pub product_dyno_tier: String,
}

/// A price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    pub cents: u32,
    /// `month`
    pub unit: String,
}
