//! Log drains: `/apps/{app}/log-drains`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::StatusCode;
use wire::log_drain::{Create, LogDrain};

/// `GET /apps/{app}/log-drains`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::drains::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(present::log_drain).collect();
    Page::select(&range, &["id", "token"], &list)
}

/// `GET /apps/{app}/log-drains/{drain}`, by id, address or token.
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, drain)): Path<(String, String)>,
) -> Result<Json<LogDrain>, ApiError> {
    let info = ops::drains::info(api.ops(), &actor, &app, &drain).await?;
    Ok(Json(present::log_drain(&info)))
}

/// What the official CLI prints beside "Successfully added drain".
const WARNING: [(&str, &str); 1] =
    [("x-heroku-warning", "Kigo keeps log drains, but does not send anything to them yet.")];

/// `POST /apps/{app}/log-drains`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Create>,
) -> Result<impl IntoResponse, ApiError> {
    let info = ops::drains::create(api.ops(), &actor, &app, &body.url).await?;
    Ok((StatusCode::CREATED, WARNING, Json(present::log_drain(&info))))
}

/// `DELETE /apps/{app}/log-drains/{drain}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, drain)): Path<(String, String)>,
) -> Result<Json<LogDrain>, ApiError> {
    let info = ops::drains::destroy(api.ops(), &actor, &app, &drain).await?;
    Ok(Json(present::log_drain(&info)))
}
