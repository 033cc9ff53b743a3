//! The formation: how many dynos of which size each process type should have.

use crate::{AppId, DynoSize, FormationId, ProcessType};
use jiff::Timestamp;

/// One process type of an app's formation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formation {
    pub id: FormationId,
    pub app: AppId,
    pub process_type: ProcessType,
    /// The command of the current release.
    pub command: String,
    pub quantity: u32,
    pub size: DynoSize,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
