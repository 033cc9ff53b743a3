//! Backups, restores and copies: `/client/v11/apps/{app}/transfers`, `/client/v11/databases/{database}/…`.

use crate::extract::{Body, Login, Origin};
use crate::present::{self, BACKUP_SCHEME, moment};
use crate::signed::{self, Purpose};
use crate::{Api, ApiError};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use domain::TransferId;
use http::{StatusCode, header};
use jiff::SignedDuration;
use ops::transfers::From;
use serde::Deserialize;
use wire::data::transfer::{Copy, PublicUrl, Restore, Transfer};

/// How long the address of a dump is good for (Heroku's figure).
const LIFE: SignedDuration = SignedDuration::from_mins(60);

/// What is asked for besides.
#[derive(Deserialize)]
pub(crate) struct Detail {
    #[serde(default)]
    verbose: Option<String>,
}

/// `GET /client/v11/apps/{app}/transfers`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<Json<Vec<Transfer>>, ApiError> {
    let list = ops::transfers::list(api.ops(), &actor, &app).await?;
    Ok(Json(list.iter().map(|one| present::transfer(one, None)).collect()))
}

/// `GET /client/v11/apps/{app}/transfers/{transfer}`, by number or id.
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, transfer)): Path<(String, String)>,
    Query(detail): Query<Detail>,
) -> Result<Json<Transfer>, ApiError> {
    let (transfer, lines) = ops::transfers::info(api.ops(), &actor, &app, &transfer).await?;
    let lines = detail.verbose.is_some_and(|word| word != "false").then_some(lines.as_slice());
    Ok(Json(present::transfer(&transfer, lines)))
}

/// `DELETE /client/v11/apps/{app}/transfers/{transfer}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, transfer)): Path<(String, String)>,
) -> Result<Json<Transfer>, ApiError> {
    let transfer = ops::transfers::delete(api.ops(), &actor, &app, &transfer).await?;
    Ok(Json(present::transfer(&transfer, None)))
}

/// `POST /client/v11/apps/{app}/transfers/{transfer}/actions/cancel`
pub(crate) async fn cancel(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, transfer)): Path<(String, String)>,
) -> Result<Json<Transfer>, ApiError> {
    let transfer = ops::transfers::cancel(api.ops(), &actor, &app, &transfer).await?;
    Ok(Json(present::transfer(&transfer, None)))
}

/// `POST /client/v11/apps/{app}/transfers/{transfer}/actions/prove`. Not of Heroku's.
pub(crate) async fn prove(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, transfer)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Transfer>), ApiError> {
    let transfer = ops::transfers::prove(api.ops(), &actor, &app, &transfer).await?;
    Ok((StatusCode::ACCEPTED, Json(present::transfer(&transfer, None))))
}

/// `POST /client/v11/apps/{app}/transfers/{transfer}/actions/public-url`. The CLI downloads over TLS only,
/// which the port speaks, however it was reached now.
pub(crate) async fn public_url(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, transfer)): Path<(String, String)>,
    origin: Origin,
) -> Result<(StatusCode, Json<PublicUrl>), ApiError> {
    let transfer = ops::transfers::authorize_download(api.ops(), &actor, &app, &transfer).await?;
    let expires = api.ops().now().saturating_add(LIFE).unwrap_or(jiff::Timestamp::MAX);
    let token = signed::sign(api.log_key(), Purpose::Backup, &transfer.id.to_string(), expires);
    let authority = origin.0.split_once("://").map_or(origin.0.as_str(), |(_, rest)| rest);
    let url = PublicUrl { url: format!("https://{authority}/backups/{token}"), expires_at: moment(expires) };
    Ok((StatusCode::CREATED, Json(url)))
}

/// `GET /backups/{token}`: the address is the permission.
pub(crate) async fn download(
    State(api): State<Api>,
    Path(token): Path<String>,
) -> Result<Response, ApiError> {
    let backup = granted(&api, &token).ok_or_else(|| ApiError::not_found("backup"))?;
    let dump = api.blobs().get_backup(backup).await.map_err(|error| ApiError::internal(&error))?;
    let (size, stream) = dump.ok_or_else(|| ApiError::not_found("backup"))?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CACHE_CONTROL, "private".to_owned()),
    ];
    Ok((headers, axum::body::Body::from_stream(stream)).into_response())
}

/// `POST /client/v11/databases/{database}/backups`
pub(crate) async fn backup(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<(StatusCode, Json<Transfer>), ApiError> {
    let transfer = ops::transfers::backup(api.ops(), &actor, &database).await?;
    Ok((StatusCode::CREATED, Json(present::transfer(&transfer, None))))
}

/// `POST /client/v11/databases/{database}/restores`
pub(crate) async fn restore(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
    Body(body): Body<Restore>,
) -> Result<(StatusCode, Json<Transfer>), ApiError> {
    let from = source(&api, body.backup_url)?;
    let extensions = body.extensions.unwrap_or_default();
    let transfer = ops::transfers::restore(api.ops(), &actor, &database, from, extensions).await?;
    Ok((StatusCode::CREATED, Json(present::transfer(&transfer, None))))
}

/// `POST /client/v11/databases/{database}/transfers`: both ends are named by their addresses.
pub(crate) async fn copy(
    State(api): State<Api>,
    Login(actor): Login,
    Path(_database): Path<String>,
    Body(body): Body<Copy>,
) -> Result<(StatusCode, Json<Transfer>), ApiError> {
    let transfer = ops::transfers::copy(api.ops(), &actor, &body.from_url, &body.to_url).await?;
    Ok((StatusCode::CREATED, Json(present::transfer(&transfer, None))))
}

/// The backup that signed words give.
fn granted(api: &Api, token: &str) -> Option<TransferId> {
    signed::verify(api.log_key(), Purpose::Backup, token, api.ops().now())?.parse().ok()
}

/// What a restore reads: a backup by the name that its list gives, or by an address that this server has
/// signed; else what can be downloaded.
fn source(api: &Api, url: String) -> Result<From, ApiError> {
    if let Some(id) = url.strip_prefix(BACKUP_SCHEME) {
        let id = id.parse().map_err(|_| ApiError::invalid_params("The backup's address is not valid."))?;
        return Ok(From::Backup(id));
    }
    let token = url.rsplit_once("/backups/").map(|(_, token)| token);
    if let Some(id) = token.and_then(|token| granted(api, token)) {
        return Ok(From::Granted(id));
    }
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(From::Url(url));
    }
    Err(ApiError::invalid_params("Name a backup, or an address that begins with https:// or http://."))
}
