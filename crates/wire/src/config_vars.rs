//! Config vars: `/apps/{app}/config-vars`, one flat object.

use serde_json::Value;
use std::collections::BTreeMap;

/// All config vars of an app or of a release.
pub type ConfigVars = BTreeMap<String, String>;

/// Body of `PATCH /apps/{app}/config-vars`: text sets, `null` removes. Heroku turns numbers and
/// truth values into text, so the body is read as any JSON.
pub type Update = BTreeMap<String, Value>;
