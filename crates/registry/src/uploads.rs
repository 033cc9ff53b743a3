//! Uploads: `/v2/{name}/blobs/uploads/`.
//!
//! A blob comes in one request or in several; how far an upload is, the length of its file says, so
//! that one can go on after a restart of the server.

use crate::blobs::CONTENT_DIGEST;
use crate::error::{Code, Failure};
use crate::receive::receive;
use crate::target::digest;
use crate::{Registry, parameter, value};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use domain::{Digest, RepositoryName, UploadId};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode, header};
use ops::Actor;

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// `POST`: begins an upload; with `?mount=`, tries first to take the blob from another repository;
/// with `?digest=`, the body is the whole blob.
pub(crate) async fn begin(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    request: &Parts,
    body: Body,
) -> Result<Response, Failure> {
    let ops = &registry.ops;
    // What is no digest of here names nothing that could be mounted.
    if let Some(wanted) = parameter(&request.uri, "mount").and_then(|text| digest(&text).ok()) {
        let from = parameter(&request.uri, "from");
        let from = from.map(|from| RepositoryName::parse(&from));
        // A name that cannot be one of a repository here is one that the blob cannot be had from.
        if !matches!(from, Some(Err(_))) {
            let from = from.transpose().unwrap_or_default();
            if ops::registry::mount(ops, actor, name, &wanted, from.as_ref()).await?.is_some() {
                return created(name, &wanted);
            }
        }
    }
    if parameter(&request.uri, "digest-algorithm").is_some_and(|algorithm| algorithm != "sha256") {
        return Err(Failure::new(Code::DigestInvalid, "This registry has digests of SHA-256 only."));
    }
    let whole = parameter(&request.uri, "digest").map(|text| digest(&text)).transpose()?;
    let id = ops::registry::begin_upload(ops, actor, name).await?.id;
    registry.images.begin_upload(id.0)?;
    match whole {
        Some(whole) => {
            let received = receive(registry, actor, name, id, None, body).await;
            if let Err(failure) = received {
                // Nobody can go on with what nobody was told of.
                give_up(registry, actor, name, id).await?;
                return Err(failure);
            }
            complete(registry, actor, name, id, whole).await
        }
        None => going_on(StatusCode::ACCEPTED, name, id, 0),
    }
}

/// `GET`: how far it is.
pub(crate) async fn status(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    id: UploadId,
) -> Result<Response, Failure> {
    ops::registry::upload(&registry.ops, actor, name, id).await?;
    going_on(StatusCode::NO_CONTENT, name, id, registry.images.upload_size(id.0)?)
}

/// `PATCH`: the next piece.
pub(crate) async fn append(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    id: UploadId,
    request: &Parts,
    body: Body,
) -> Result<Response, Failure> {
    ops::registry::upload(&registry.ops, actor, name, id).await?;
    let offset = offset(&request.headers)?;
    let received = receive(registry, actor, name, id, offset, body).await;
    let size = received.map_err(|failure| located(failure, registry, name, id))?;
    going_on(StatusCode::ACCEPTED, name, id, size)
}

/// `PUT`: the last piece, if any is left, and the digest of the whole.
pub(crate) async fn finish(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    id: UploadId,
    request: &Parts,
    body: Body,
) -> Result<Response, Failure> {
    ops::registry::upload(&registry.ops, actor, name, id).await?;
    let whole = parameter(&request.uri, "digest");
    let whole =
        whole.ok_or_else(|| Failure::new(Code::DigestInvalid, "The parameter `digest` is missing."))?;
    let whole = digest(&whole)?;
    let offset = offset(&request.headers)?;
    let received = receive(registry, actor, name, id, offset, body).await;
    received.map_err(|failure| located(failure, registry, name, id))?;
    complete(registry, actor, name, id, whole).await
}

/// `DELETE`
pub(crate) async fn cancel(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    id: UploadId,
) -> Result<Response, Failure> {
    give_up(registry, actor, name, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn give_up(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    id: UploadId,
) -> Result<(), Failure> {
    ops::registry::cancel_upload(&registry.ops, actor, name, id).await?;
    Ok(registry.images.cancel_upload(id.0)?)
}

/// Makes the blob and hands it to the repository.
async fn complete(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    id: UploadId,
    whole: Digest,
) -> Result<Response, Failure> {
    // Held until a row refers to it.
    let _pin = registry.images.pin(whole);
    let images = registry.images.clone();
    let blob = tokio::task::spawn_blocking(move || images.finish_upload(id.0, &whole)).await;
    let blob = blob.map_err(|error| Failure::internal(&error))?;
    match blob {
        Ok(blob) => {
            let made = (blob.digest, blob.size);
            ops::registry::finish_upload(&registry.ops, actor, name, id, made).await?;
            created(name, &whole)
        }
        Err(error) => {
            if matches!(error, image::StoreError::DigestMismatch { .. }) {
                // The bytes are thrown away already.
                ops::registry::cancel_upload(&registry.ops, actor, name, id).await?;
            }
            Err(error.into())
        }
    }
}

fn created(name: &RepositoryName, blob: &Digest) -> Result<Response, Failure> {
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, value(format!("/v2/{name}/blobs/{blob}"))?);
    headers.insert(CONTENT_DIGEST, value(blob.to_string())?);
    Ok(response)
}

fn going_on(status: StatusCode, name: &RepositoryName, id: UploadId, size: u64) -> Result<Response, Failure> {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, value(format!("/v2/{name}/blobs/uploads/{id}"))?);
    // Of no bytes the last one is the first, as Docker's registry has it.
    headers.insert(header::RANGE, value(format!("0-{}", size.saturating_sub(1)))?);
    headers.insert(UPLOAD_ID, value(id.to_string())?);
    Ok(response)
}

/// A piece that came out of turn is told where the upload is.
fn located(failure: Failure, registry: &Registry, name: &RepositoryName, id: UploadId) -> Failure {
    if failure.code != Code::RangeInvalid {
        return failure;
    }
    let size = registry.images.upload_size(id.0).unwrap_or(0);
    let location = value(format!("/v2/{name}/blobs/uploads/{id}"));
    let range = value(format!("0-{}", size.saturating_sub(1)));
    match (location, range) {
        (Ok(location), Ok(range)) => failure.with(header::LOCATION, location).with(header::RANGE, range),
        _ => failure,
    }
}

/// The first byte's place that `Content-Range: 0-99` tells, if it is there and fits the length.
fn offset(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(text) = headers.get(header::CONTENT_RANGE) else { return Ok(None) };
    let invalid =
        |why: &str| Failure::new(Code::BlobUploadInvalid, format!("Content-Range is not valid: {why}."));
    let text = text.to_str().unwrap_or_default().trim();
    let text = text.strip_prefix("bytes ").unwrap_or(text);
    let text = text.split('/').next().unwrap_or_default();
    let numbers = text.split_once('-').and_then(|(first, last)| {
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        Some((first, last.checked_sub(first)?.checked_add(1)?))
    });
    let (first, length) = numbers.ok_or_else(|| invalid("write it as FIRST-LAST"))?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|announced| announced != length) {
        return Err(invalid("it does not fit Content-Length"));
    }
    Ok(Some(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let read = |range: &str, length: Option<&str>| {
            let length = length.map(|length| (header::CONTENT_LENGTH, length.parse().unwrap()));
            let range = (header::CONTENT_RANGE, range.parse().unwrap());
            offset(&[range].into_iter().chain(length).collect()).ok().flatten()
        };
        assert_eq!(read("0-4", Some("5")), Some(0));
        assert_eq!(read("5-9", None), Some(5));
        assert_eq!(read("bytes 5-9/20", None), Some(5));
        for (range, length) in [("0-4", Some("4")), ("4-3", None), ("x-3", None), ("3", None), ("-3", None)] {
            assert_eq!(read(range, length), None, "{range}");
        }
        assert_eq!(offset(&HeaderMap::new()).unwrap(), None);
    }
}
