//! A registry of images, as the OCI distribution specification 1.1 has it: what `docker push`,
//! `skopeo` and `buildah` talk to, at `/v2/`.
//!
//! It translates: a request becomes an intent of `ops::registry`, which decides who may do what and
//! what belongs to which repository, and bytes go to and from the image store. It refuses to run or
//! unpack anything: what a manifest or a layer really holds is looked at when it is released.
//!
//! Clients log in with any user and an API token as the password. Digests are SHA-256.

mod auth;
mod blobs;
mod body;
mod document;
mod error;
mod lists;
mod manifests;
mod receive;
mod target;
mod uploads;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use error::{Code, Failure};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use image::ImageStore;
use ops::{Actor, Ops};
use target::Target;

/// What the registry is made of.
#[derive(Clone)]
pub struct Registry {
    pub ops: Ops,
    pub images: ImageStore,
    /// Bytes of one blob at most, as it is sent.
    pub blob_limit: u64,
}

/// Tells old clients of Docker that this is a registry.
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("docker-distribution-api-version"), HeaderValue::from_static("registry/2.0"));

impl Registry {
    /// Everything below `/v2/`. It has no fallback; merge it with routers that have.
    pub fn router(self) -> Router {
        Router::new()
            .route("/v2", any(base))
            .route("/v2/", any(base))
            .route("/v2/{*rest}", any(serve))
            // The limits of blobs and manifests apply.
            .layer(DefaultBodyLimit::disable())
            .with_state(self)
    }
}

/// `GET /v2/`: whether there is a registry, and whether one may use it.
async fn base(State(registry): State<Registry>, method: Method, headers: HeaderMap) -> Response {
    let answer = async {
        let actor = auth::authenticate(&registry.ops, &headers).await?;
        ops::registry::authorize(&actor)?;
        match method {
            Method::GET | Method::HEAD => Ok(axum::Json(serde_json::json!({})).into_response()),
            _ => Err(Failure::method()),
        }
    };
    finished(answer.await)
}

async fn serve(State(registry): State<Registry>, Path(rest): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = async {
        let actor = auth::authenticate(&registry.ops, &parts.headers).await?;
        let target = Target::parse(&rest)?;
        answer(&registry, &actor, target, &parts, body).await
    };
    finished(answer.await)
}

/// The table of contents.
async fn answer(
    registry: &Registry,
    actor: &Actor,
    target: Target,
    parts: &Parts,
    body: Body,
) -> Result<Response, Failure> {
    match (target, parts.method.clone()) {
        (Target::Manifest(name, reference), Method::GET | Method::HEAD) => {
            manifests::get(registry, actor, &name, &reference, &parts.method).await
        }
        (Target::Manifest(name, reference), Method::PUT) => {
            manifests::put(registry, actor, &name, &reference, parts, body).await
        }
        (Target::Manifest(name, reference), Method::DELETE) => {
            manifests::delete(registry, actor, &name, &reference).await
        }
        (Target::Blob(name, digest), Method::GET | Method::HEAD) => {
            blobs::get(registry, actor, &name, &digest, parts).await
        }
        (Target::Blob(name, digest), Method::DELETE) => blobs::delete(registry, actor, &name, &digest).await,
        (Target::Uploads(name), Method::POST) => uploads::begin(registry, actor, &name, parts, body).await,
        (Target::Upload(name, id), Method::GET | Method::HEAD) => {
            uploads::status(registry, actor, &name, id).await
        }
        (Target::Upload(name, id), Method::PATCH) => {
            uploads::append(registry, actor, &name, id, parts, body).await
        }
        (Target::Upload(name, id), Method::PUT) => {
            uploads::finish(registry, actor, &name, id, parts, body).await
        }
        (Target::Upload(name, id), Method::DELETE) => uploads::cancel(registry, actor, &name, id).await,
        (Target::Tags(name), Method::GET | Method::HEAD) => {
            lists::tags(registry, actor, &name, &parts.uri).await
        }
        (Target::Referrers(name, digest), Method::GET | Method::HEAD) => {
            lists::referrers(registry, actor, &name, &digest, &parts.uri).await
        }
        _ => Err(Failure::method()),
    }
}

fn finished(answer: Result<Response, Failure>) -> Response {
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(VERSION.0, VERSION.1);
    response
}

/// A header's value made of what cannot be anything but text.
pub(crate) fn value(text: impl AsRef<str>) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text.as_ref())
        .map_err(|_| Failure::new(Code::Unknown, "An answer could not be written."))
}

/// The values of one parameter of a request's query, in order.
pub(crate) fn parameters(uri: &http::Uri, name: &str) -> Vec<String> {
    let query = uri.query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
}

/// The value of a parameter that makes sense once only.
pub(crate) fn parameter(uri: &http::Uri, name: &str) -> Option<String> {
    parameters(uri, name).into_iter().next()
}
