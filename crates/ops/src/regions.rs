//! Regions. There is one: wherever this installation is.

use crate::{Error, Result};
use uuid::Uuid;

/// One region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Stable id of the region in the API.
    pub id: Uuid,
    pub name: &'static str,
    pub description: &'static str,
}

/// The only region.
pub const LOCAL: Region = Region {
    id: Uuid::from_u128(0x4a4c_4d4e_0003_4000_8000_0000_0000_0001),
    name: "local",
    description: "This installation",
};

/// All regions.
pub fn list() -> &'static [Region] {
    &[LOCAL]
}

/// One region by name or id.
pub fn info(identity: &str) -> Result<Region> {
    if identity == LOCAL.name || identity == LOCAL.id.to_string() {
        Ok(LOCAL)
    } else {
        Err(Error::not_found("region"))
    }
}
