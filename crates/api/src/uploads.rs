//! Where clients put sources and slugs, and get them back. The address is the permission: it was
//! given to who may use it, and carries a key that cannot be guessed.

use crate::{Api, ApiError, ByteStream, UploadError};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt};
use http::{StatusCode, header};
use std::io;

/// `PUT /uploads/sources/{key}`
pub(crate) async fn put_source(
    State(api): State<Api>,
    Path(key): Path<String>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    ops::sources::by_upload_key(api.ops(), &key).await?;
    let stored = api.blobs().put_source(stream(body)).await?;
    ops::sources::uploaded(api.ops(), &key, stored.digest).await?;
    Ok(StatusCode::OK)
}

/// `GET /uploads/sources/{key}`
pub(crate) async fn get_source(
    State(api): State<Api>,
    Path(key): Path<String>,
) -> Result<Response, ApiError> {
    let source = ops::sources::by_download_key(api.ops(), &key).await?;
    let digest = source.digest.ok_or_else(|| ApiError::not_found("source"))?;
    let blob = api.blobs().get(&digest).await.map_err(|error| ApiError::internal(&error))?;
    blob.map(download).ok_or_else(|| ApiError::not_found("source"))
}

/// `PUT /uploads/slugs/{key}`
pub(crate) async fn put_slug(
    State(api): State<Api>,
    Path(key): Path<String>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let slug = ops::slugs::by_upload_key(api.ops(), &key).await?;
    let stored = api.blobs().put_slug(&slug, stream(body)).await?;
    let checksum = format!("SHA256:{}", stored.checksum.hex());
    let uploaded = ops::slugs::Uploaded { image: stored.image, checksum, size: stored.size };
    ops::slugs::uploaded(api.ops(), &key, uploaded).await?;
    Ok(StatusCode::OK)
}

/// `GET /uploads/slugs/{key}`
pub(crate) async fn get_slug(State(api): State<Api>, Path(key): Path<String>) -> Result<Response, ApiError> {
    let slug = ops::slugs::by_upload_key(api.ops(), &key).await?;
    let blob = api.blobs().get_slug(&slug).await.map_err(|error| ApiError::internal(&error))?;
    blob.map(download).ok_or_else(|| ApiError::not_found("slug"))
}

fn stream(body: Body) -> ByteStream {
    body.into_data_stream().map_err(io::Error::other).boxed()
}

fn download(blob: ByteStream) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/gzip"), (header::CACHE_CONTROL, "private")];
    (headers, Body::from_stream(blob)).into_response()
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Refused(why) => Self::invalid_params(why),
            UploadError::TooLarge(limit) => Self::too_large(limit),
            UploadError::Storage(cause) => Self::internal(&cause),
        }
    }
}
