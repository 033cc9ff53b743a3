//! Sources: a place to upload a tarball to.

use crate::extract::{Login, Origin};
use crate::present::Addresses;
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use wire::source::Source;

/// `POST /sources`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    origin: Origin,
) -> Result<(StatusCode, Json<Source>), ApiError> {
    make(&api, &actor, None, &origin).await
}

/// `POST /apps/{app}/sources`
pub(crate) async fn create_for_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
) -> Result<(StatusCode, Json<Source>), ApiError> {
    make(&api, &actor, Some(&app), &origin).await
}

async fn make(
    api: &Api,
    actor: &ops::Actor,
    app: Option<&str>,
    origin: &Origin,
) -> Result<(StatusCode, Json<Source>), ApiError> {
    let source = ops::sources::create(api.ops(), actor, app).await?;
    let addresses = Addresses { config: api.config(), origin };
    Ok((StatusCode::CREATED, Json(present::source(&addresses, &source))))
}
