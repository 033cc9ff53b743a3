//! Features of an app: `/apps/{app}/features`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use wire::feature::{Feature, Update};

/// `GET /apps/{app}/features`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::features::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(present::feature).collect();
    Page::select(&range, &["id", "name"], &list)
}

/// `GET /apps/{app}/features/{feature}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, feature)): Path<(String, String)>,
) -> Result<Json<Feature>, ApiError> {
    let info = ops::features::info(api.ops(), &actor, &app, &feature).await?;
    Ok(Json(present::feature(&info)))
}

/// `PATCH /apps/{app}/features/{feature}`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, feature)): Path<(String, String)>,
    Body(body): Body<Update>,
) -> Result<Json<Feature>, ApiError> {
    let info = ops::features::update(api.ops(), &actor, &app, &feature, body.enabled).await?;
    Ok(Json(present::feature(&info)))
}
