//! Config vars: `/apps/{app}/config-vars`.

use crate::extract::{Body, Login};
use crate::{Api, ApiError};
use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;
use std::collections::BTreeMap;
use wire::config_vars::{ConfigVars, Update};

/// `GET /apps/{app}/config-vars`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<Json<ConfigVars>, ApiError> {
    Ok(Json(ops::config_vars::info(api.ops(), &actor, &app).await?.0))
}

/// `GET /apps/{app}/releases/{release}/config-vars`
pub(crate) async fn of_release(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, release)): Path<(String, String)>,
) -> Result<Json<ConfigVars>, ApiError> {
    Ok(Json(ops::config_vars::info_of_release(api.ops(), &actor, &app, &release).await?.0))
}

/// `PATCH /apps/{app}/config-vars`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Update>,
) -> Result<Json<ConfigVars>, ApiError> {
    let changes = changes(body)?;
    Ok(Json(ops::config_vars::update(api.ops(), &actor, &app, changes).await?.0))
}

/// Numbers and truth values become text, as on Heroku.
fn changes(body: Update) -> Result<BTreeMap<String, Option<String>>, ApiError> {
    let value = |key: &str, value| match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(truth) => Ok(Some(truth.to_string())),
        Value::Array(_) | Value::Object(_) => {
            Err(ApiError::invalid_params(format!("The value of {key} must be text, or null to remove it.")))
        }
    };
    body.into_iter().map(|(key, given)| Ok((key.clone(), value(&key, given)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_text() {
        let read = |value: Value| changes(BTreeMap::from([("A".to_owned(), value)]));
        for (value, text) in [
            (json!("x"), Some("x")),
            (json!(""), Some("")),
            (json!(1.5), Some("1.5")),
            (json!(true), Some("true")),
            (Value::Null, None),
        ] {
            assert_eq!(read(value).unwrap()["A"].as_deref(), text);
        }
        assert_eq!(read(json!({"a": 1})).unwrap_err().status.as_u16(), 422);
    }
}
