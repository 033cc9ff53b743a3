//! Collaborators: `/apps/{app}/collaborators`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use wire::collaborator::{Collaborator, Create};

/// `GET /apps/{app}/collaborators`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::collaborators::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(present::collaborator).collect();
    Page::select(&range, &["id"], &list)
}

/// `GET /apps/{app}/collaborators/{collaborator}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, collaborator)): Path<(String, String)>,
) -> Result<Json<Collaborator>, ApiError> {
    let info = ops::collaborators::info(api.ops(), &actor, &app, &collaborator).await?;
    Ok(Json(present::collaborator(&info)))
}

/// `POST /apps/{app}/collaborators`. Nobody is sent a message, silent or not.
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Collaborator>), ApiError> {
    let info = ops::collaborators::create(api.ops(), &actor, &app, body.user.as_str()).await?;
    Ok((StatusCode::CREATED, Json(present::collaborator(&info))))
}

/// `DELETE /apps/{app}/collaborators/{collaborator}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, collaborator)): Path<(String, String)>,
) -> Result<Json<Collaborator>, ApiError> {
    let info = ops::collaborators::destroy(api.ops(), &actor, &app, &collaborator).await?;
    Ok(Json(present::collaborator(&info)))
}
