//! Manifests: `/v2/{name}/manifests/{tag or digest}`.

use crate::blobs::{CONTENT_DIGEST, content};
use crate::error::{Code, Failure};
use crate::{Registry, document, parameters, value};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use domain::{Digest, Reference, RepositoryName, Tag};
use http::request::Parts;
use http::{HeaderName, Method, StatusCode, header};
use ops::Actor;
use sha2::{Digest as _, Sha256};

/// Bytes of a manifest at most. Clients count on as many.
const LIMIT: usize = 4 << 20;
/// Tags that one request may set.
const MAX_TAGS: usize = 20;

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// `GET` and `HEAD`
pub(crate) async fn get(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    reference: &Reference,
    method: &Method,
) -> Result<Response, Failure> {
    let manifest = ops::registry::manifest(&registry.ops, actor, name, reference).await?;
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        content(registry, &manifest.digest, 0, manifest.size).await?
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, value(&manifest.media_type)?);
    headers.insert(header::CONTENT_LENGTH, manifest.size.into());
    headers.insert(header::ETAG, value(format!("\"{}\"", manifest.digest))?);
    headers.insert(CONTENT_DIGEST, value(manifest.digest.to_string())?);
    Ok(response)
}

/// `PUT`
pub(crate) async fn put(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    reference: &Reference,
    request: &Parts,
    body: Body,
) -> Result<Response, Failure> {
    let tags = tags(reference, &request.uri)?;
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Before anything is kept: nobody fills the disk with what is refused in the end.
    ops::registry::may_push(&registry.ops, actor, name).await?;
    let text = crate::body::small(body, LIMIT).await?;
    let digest = Digest::from_bytes(Sha256::digest(&text).into());
    if let Reference::Digest(expected) = reference
        && *expected != digest
    {
        let message = format!("What was sent is {digest}, but {expected} was announced.");
        return Err(Failure::new(Code::DigestInvalid, message));
    }
    let new = document::read(&text, digest, content_type)?;
    ops::registry::may_put(&registry.ops, name, &new).await?;
    let subject = new.subject;
    // Held until a row refers to it.
    let _pin = registry.images.pin(digest);
    let images = registry.images.clone();
    let stored =
        tokio::task::spawn_blocking(move || images.put_blob(text.as_ref(), LIMIT as u64, Some(&digest)));
    stored.await.map_err(|error| Failure::internal(&error))??;
    ops::registry::put_manifest(&registry.ops, actor, name, new, &tags).await?;
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, value(format!("/v2/{name}/manifests/{digest}"))?);
    headers.insert(CONTENT_DIGEST, value(digest.to_string())?);
    if let Some(subject) = subject {
        headers.insert(SUBJECT, value(subject.to_string())?);
    }
    if matches!(reference, Reference::Digest(_)) {
        for tag in &tags {
            headers.append(TAG, value(tag.as_str())?);
        }
    }
    Ok(response)
}

/// The tag of the address, or those of the parameter `tag` beside a digest.
fn tags(reference: &Reference, uri: &http::Uri) -> Result<Vec<Tag>, Failure> {
    if let Reference::Tag(tag) = reference {
        return Ok(vec![tag.clone()]);
    }
    let wanted = parameters(uri, "tag");
    if wanted.len() > MAX_TAGS {
        return Err(Failure::new(Code::TagInvalid, format!("One request can set {MAX_TAGS} tags at most.")));
    }
    let invalid = |error: domain::NameError| Failure::new(Code::TagInvalid, error.0);
    wanted.iter().map(|text| Tag::parse(text).map_err(invalid)).collect()
}

/// `DELETE`: a tag alone, or a manifest with all its tags.
pub(crate) async fn delete(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Response, Failure> {
    match reference {
        Reference::Tag(tag) => ops::registry::delete_tag(&registry.ops, actor, name, tag).await,
        Reference::Digest(digest) => ops::registry::delete_manifest(&registry.ops, actor, name, digest).await,
    }
    .map_err(Failure::in_use)?;
    Ok(StatusCode::ACCEPTED.into_response())
}
