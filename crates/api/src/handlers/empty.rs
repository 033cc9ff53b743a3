//! Lists of what Kigo has none of: add-ons, pipelines, teams. Clients read them beside what they are
//! really after, and an empty list is the truth.

use crate::extract::Login;
use crate::{Api, ApiError};
use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

/// A list that belongs to whoever asks.
pub(crate) async fn list(Login(_): Login) -> Json<Vec<Value>> {
    Json(Vec::new())
}

/// A list that belongs to an app, which has to be there.
pub(crate) async fn list_of_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<Json<Vec<Value>>, ApiError> {
    ops::apps::info(api.ops(), &actor, &app).await?;
    Ok(Json(Vec::new()))
}
