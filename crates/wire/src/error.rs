//! The body of every response with a status of 400 or more.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What went wrong. The official CLI prints `message` and `id`, and follows nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Error {
    /// A word for programs, for example `not_found`.
    pub id: String,
    /// A sentence for people.
    pub message: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Further properties of some errors, for example `resource` of `not_found`.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}
