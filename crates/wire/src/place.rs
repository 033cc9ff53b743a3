//! Where and on what apps run: `/regions`, `/stacks`, `/generations`.

use crate::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    pub id: Uuid,
    pub name: String,
    pub country: String,
    pub description: String,
    pub locale: String,
    pub private_capable: bool,
    pub provider: Provider,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Who runs a region's machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    pub name: String,
    pub region: String,
}

/// A stack: the operating system that builds and dynos see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    pub id: Uuid,
    pub name: String,
    /// Whether new apps get it.
    pub default: bool,
    /// `public`, `beta` or `deprecated`.
    pub state: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// A generation of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    pub id: Uuid,
    pub name: String,
    pub unsupported_features: Vec<String>,
    pub expanded_supported_features: Vec<serde_json::Value>,
    pub created_at: Time,
    pub updated_at: Time,
}
