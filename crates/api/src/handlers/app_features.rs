//! Features of an app: `/apps/{app}/features`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
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
    match ops::features::info(api.ops(), &actor, &app, &feature).await {
        Ok(info) => Ok(Json(present::feature(&info))),
        Err(ops::Error::NotFound { resource: "feature", .. }) if feature == EXEC => Err(no_exec()),
        Err(error) => Err(error.into()),
    }
}

/// What `heroku ps:exec` and its siblings ask for first.
const EXEC: &str = "runtime-heroku-exec";

/// As for other gaps: not to be taken for a feature whose name is wrong.
fn no_exec() -> ApiError {
    let message = "Kigo does not have ps:exec, ps:copy, ps:forward and ps:socks: entering a running dyno is \
                   not offered yet; `heroku run` starts a dyno of its own.";
    ApiError::new(StatusCode::NOT_FOUND, "not_implemented", message)
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
