//! Ways to add-ons' pages: `/addons/{addon}/sso`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a browser gets in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sso {
    /// `get` or `post`
    pub method: String,
    /// The address.
    pub action: String,
    /// What a form sends along.
    pub params: Map<String, Value>,
}
