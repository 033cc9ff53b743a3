//! SSH keys: `/account/keys`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use wire::key::{Create, Key};

/// `GET /account/keys`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    range: Range,
) -> Result<Page, ApiError> {
    let keys = ops::keys::list(api.ops(), &actor).await?;
    let keys: Vec<_> = keys.iter().map(|key| present::key(key, &actor.account)).collect();
    Page::select(&range, &["id", "fingerprint"], &keys)
}

/// `GET /account/keys/{key}`, by id or fingerprint.
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(key): Path<String>,
) -> Result<Json<Key>, ApiError> {
    let key = ops::keys::info(api.ops(), &actor, &key).await?;
    Ok(Json(present::key(&key, &actor.account)))
}

/// `POST /account/keys`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Key>), ApiError> {
    let key = ops::keys::create(api.ops(), &actor, &body.public_key).await?;
    Ok((StatusCode::CREATED, Json(present::key(&key, &actor.account))))
}

/// `DELETE /account/keys/{key}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path(key): Path<String>,
) -> Result<Json<Key>, ApiError> {
    let key = ops::keys::destroy(api.ops(), &actor, &key).await?;
    Ok(Json(present::key(&key, &actor.account)))
}
