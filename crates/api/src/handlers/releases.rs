//! Releases: `/apps/{app}/releases`.

use crate::extract::{Body, Login, Origin};
use crate::present::Addresses;
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use ops::releases::ReleaseInfo;
use wire::release::{Create, Release};

fn shape(api: &Api, origin: &Origin, info: &ReleaseInfo) -> Release {
    present::release(&Addresses { config: api.config(), origin }, info)
}

/// `GET /apps/{app}/releases`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::releases::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(|info| shape(&api, &origin, info)).collect();
    Page::select(&range, &["version", "id"], &list)
}

/// `GET /apps/{app}/releases/{release}`, by id, version or `current`.
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, release)): Path<(String, String)>,
    origin: Origin,
) -> Result<Json<Release>, ApiError> {
    let info = ops::releases::info(api.ops(), &actor, &app, &release).await?;
    Ok(Json(shape(&api, &origin, &info)))
}

/// `POST /apps/{app}/releases`: a `slug` is released, to a `release` the app is rolled back.
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Release>), ApiError> {
    let info = match (body.slug, body.release) {
        (Some(slug), None) => {
            let create =
                ops::releases::Create { slug: slug.as_str().to_owned(), description: body.description };
            ops::releases::create(api.ops(), &actor, &app, create).await?
        }
        (None, Some(release)) => {
            ops::releases::rollback(api.ops(), &actor, &app, &release.to_string()).await?
        }
        _ => {
            return Err(ApiError::invalid_params(
                "Name either a `slug` to release or a `release` to roll back to.",
            ));
        }
    };
    Ok((StatusCode::CREATED, Json(shape(&api, &origin, &info))))
}
