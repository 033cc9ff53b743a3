//! Slugs: `/apps/{app}/slugs`.

use crate::extract::{Body, Login, Origin};
use crate::present::Addresses;
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use wire::slug::{Create, Slug};

/// `GET /apps/{app}/slugs/{slug}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, slug)): Path<(String, String)>,
    origin: Origin,
) -> Result<Json<Slug>, ApiError> {
    let slug = ops::slugs::info(api.ops(), &actor, &app, &slug).await?;
    let addresses = Addresses { config: api.config(), origin: &origin };
    Ok(Json(present::slug(&addresses, &slug)))
}

/// `POST /apps/{app}/slugs`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Slug>), ApiError> {
    let create = ops::slugs::Create {
        process_types: body.process_types,
        checksum: body.checksum,
        commit: body.commit,
        commit_description: body.commit_description,
        buildpack_provided_description: body.buildpack_provided_description,
        stack: body.stack.map(|stack| stack.as_str().to_owned()),
    };
    let slug = ops::slugs::create(api.ops(), &actor, &app, create).await?;
    let addresses = Addresses { config: api.config(), origin: &origin };
    Ok((StatusCode::CREATED, Json(present::slug(&addresses, &slug))))
}
