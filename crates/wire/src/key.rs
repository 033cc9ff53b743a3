//! SSH keys: `/account/keys`.

use crate::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An SSH public key of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub id: Uuid,
    pub comment: String,
    pub email: String,
    pub fingerprint: String,
    pub public_key: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Body of `POST /account/keys`, which the CLI uses although the schema no longer names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    pub public_key: String,
}
