//! Lists: `/v2/{name}/tags/list` and `/v2/{name}/referrers/{digest}`. Both come in pages.

use crate::document::OCI_INDEX;
use crate::error::{Code, Failure};
use crate::target::digest;
use crate::{Registry, parameter, value};
use axum::response::{IntoResponse, Response};
use domain::{Digest, Manifest, RepositoryName};
use http::{HeaderName, HeaderValue, Uri, header};
use ops::Actor;
use serde_json::{Value, json};

/// Tags of one page at most, and without a wish.
const TAGS: usize = 1000;
/// Referrers of one page.
const REFERRERS: usize = 100;

const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

/// `GET /v2/{name}/tags/list?n=&last=`
pub(crate) async fn tags(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    uri: &Uri,
) -> Result<Response, Failure> {
    let wanted = match parameter(uri, "n") {
        None => TAGS,
        Some(text) => text.parse::<usize>().map_err(|_| {
            Failure::new(Code::PaginationInvalid, format!("The parameter n must be a number, not {text:?}."))
        })?,
    };
    let count = wanted.min(TAGS);
    let last = parameter(uri, "last");
    // One more than is shown tells whether there are more.
    let mut tags =
        ops::registry::tags(&registry.ops, actor, name, last.as_deref(), count.saturating_add(1)).await?;
    let more = tags.len() > count && count > 0;
    tags.truncate(count);
    let shown: Vec<&str> = tags.iter().map(domain::Tag::as_str).collect();
    let mut response = axum::Json(json!({ "name": name.to_string(), "tags": shown })).into_response();
    if let Some(last) = tags.last().filter(|_| more) {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("n", &count.to_string())
            .append_pair("last", last.as_str())
            .finish();
        response.headers_mut().insert(header::LINK, next(&format!("/v2/{name}/tags/list?{query}"))?);
    }
    Ok(response)
}

/// `GET /v2/{name}/referrers/{digest}?artifactType=`
pub(crate) async fn referrers(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    subject: &Digest,
    uri: &Uri,
) -> Result<Response, Failure> {
    let kind = parameter(uri, "artifactType");
    let last = parameter(uri, "last").map(|text| digest(&text)).transpose()?;
    let mut found = ops::registry::referrers(
        &registry.ops,
        actor,
        name,
        subject,
        kind.as_deref(),
        last.as_ref(),
        REFERRERS + 1,
    )
    .await?;
    let more = found.len() > REFERRERS;
    found.truncate(REFERRERS);
    let list: Vec<Value> = found.iter().map(descriptor).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list });
    let mut response = axum::Json(index).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
    if kind.is_some() {
        headers.insert(FILTERS, HeaderValue::from_static("artifactType"));
    }
    if let Some(last) = found.last().filter(|_| more) {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("last", &last.digest.to_string());
        if let Some(kind) = &kind {
            query.append_pair("artifactType", kind);
        }
        let address = format!("/v2/{name}/referrers/{subject}?{}", query.finish());
        headers.insert(header::LINK, next(&address)?);
    }
    Ok(response)
}

fn descriptor(manifest: &Manifest) -> Value {
    let mut descriptor = json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest.to_string(),
        "size": manifest.size,
    });
    if let Some(kind) = &manifest.artifact_type {
        descriptor["artifactType"] = json!(kind);
    }
    if !manifest.annotations.is_empty() {
        descriptor["annotations"] = json!(manifest.annotations);
    }
    descriptor
}

fn next(address: &str) -> Result<HeaderValue, Failure> {
    value(format!("<{address}>; rel=\"next\""))
}
