//! Builds for tests: `/apps/{app}/test-builds`. Kigo's own.

use crate::extract::{Body, Login, Origin};
use crate::present::Addresses;
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use ops::builds::BuildInfo;
use wire::test_build::{Create, TestBuild};

fn shape(api: &Api, origin: &Origin, info: &BuildInfo) -> TestBuild {
    present::test_build(&Addresses { config: api.config(), origin }, info)
}

/// `GET /apps/{app}/test-builds`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::test_builds::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(|info| shape(&api, &origin, info)).collect();
    Page::select(&range, &["id"], &list)
}

/// `GET /apps/{app}/test-builds/{build}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, build)): Path<(String, String)>,
    origin: Origin,
) -> Result<Json<TestBuild>, ApiError> {
    let info = ops::test_builds::info(api.ops(), &actor, &app, &build).await?;
    Ok(Json(shape(&api, &origin, &info)))
}

/// `POST /apps/{app}/test-builds`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<TestBuild>), ApiError> {
    let create = ops::test_builds::Create {
        source_url: body.source_blob.url,
        checksum: body.source_blob.checksum,
        version: body.source_blob.version,
        version_description: body.source_blob.version_description,
        branch: body.branch,
        env: body.env,
    };
    let info = ops::test_builds::create(api.ops(), &actor, &app, create).await?;
    Ok((StatusCode::CREATED, Json(shape(&api, &origin, &info))))
}

/// `DELETE /apps/{app}/test-builds/{build}`
pub(crate) async fn cancel(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, build)): Path<(String, String)>,
    origin: Origin,
) -> Result<Json<TestBuild>, ApiError> {
    let info = ops::test_builds::cancel(api.ops(), &actor, &app, &build).await?;
    Ok(Json(shape(&api, &origin, &info)))
}
