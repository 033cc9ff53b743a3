//! Builds: `/apps/{app}/builds`.

use crate::extract::{Body, Login, Origin};
use crate::present::Addresses;
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use ops::builds::BuildInfo;
use serde_json::{Map, Value};
use wire::build::{Build, Buildpack, Create};

fn shape(api: &Api, origin: &Origin, info: &BuildInfo) -> Build {
    present::build(&Addresses { config: api.config(), origin }, info)
}

/// `GET /apps/{app}/builds`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::builds::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(|info| shape(&api, &origin, info)).collect();
    Page::select(&range, &["id"], &list)
}

/// `GET /apps/{app}/builds/{build}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, build)): Path<(String, String)>,
    origin: Origin,
) -> Result<Json<Build>, ApiError> {
    let info = ops::builds::info(api.ops(), &actor, &app, &build).await?;
    Ok(Json(shape(&api, &origin, &info)))
}

/// `POST /apps/{app}/builds`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Build>), ApiError> {
    let create = ops::builds::Create {
        source_url: body.source_blob.url,
        checksum: body.source_blob.checksum,
        version: body.source_blob.version,
        version_description: body.source_blob.version_description,
        buildpacks: body.buildpacks.unwrap_or_default().into_iter().map(text).collect::<Result<_, _>>()?,
    };
    let info = ops::builds::create(api.ops(), &actor, &app, create).await?;
    Ok((StatusCode::CREATED, Json(shape(&api, &origin, &info))))
}

/// A buildpack is named by its address, or by its name if it has none.
fn text(buildpack: Buildpack) -> Result<String, ApiError> {
    let missing = || ApiError::invalid_params("Each of `buildpacks` needs a `url` or a `name`.");
    buildpack.url.or(buildpack.name).ok_or_else(missing)
}

/// `DELETE /apps/{app}/builds/{build}`
pub(crate) async fn cancel(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, build)): Path<(String, String)>,
    origin: Origin,
) -> Result<Json<Build>, ApiError> {
    let info = ops::builds::cancel(api.ops(), &actor, &app, &build).await?;
    Ok(Json(shape(&api, &origin, &info)))
}

/// `DELETE /apps/{app}/build-cache`
pub(crate) async fn purge_cache(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<Json<Map<String, Value>>, ApiError> {
    ops::builds::purge_cache(api.ops(), &actor, &app).await?;
    Ok(Json(Map::new()))
}
