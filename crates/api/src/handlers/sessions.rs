//! OAuth sessions: `/oauth/sessions`, which `heroku logout` ends.

use crate::extract::Login;
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use wire::session::Session;

/// `GET /oauth/sessions`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::sessions::list(api.ops(), &actor).await?;
    let list: Vec<_> = list.iter().map(|one| present::session(one, api.ops().now())).collect();
    Page::select(&range, &["id"], &list)
}

/// `DELETE /oauth/sessions/{session}`, by id, or `~` for the one in use.
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path(id): Path<String>,
) -> Result<Json<Session>, ApiError> {
    let one = ops::sessions::destroy(api.ops(), &actor, &id).await?;
    Ok(Json(present::session(&one, api.ops().now())))
}
