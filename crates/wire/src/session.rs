//! OAuth sessions: `/oauth/sessions`, which the CLI uses although the schema does not name them.

use crate::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: Uuid,
    pub description: String,
    pub expires_in: Option<i64>,
    pub created_at: Time,
    pub updated_at: Time,
}
