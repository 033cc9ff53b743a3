//! `GET /account/rate-limits`.

use serde::{Deserialize, Serialize};

/// How many requests are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    pub remaining: u32,
}
