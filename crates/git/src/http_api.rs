//! Smart HTTP, as gitprotocol-http(5) has it, over the system's git.

use crate::Git;
use crate::backend::{BackendError, Pusher, Target};
use crate::body::forward;
use crate::receive_pack;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::AppName;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::ffi::OsStr;
use std::path::{Path as FilePath, PathBuf};
use std::process::Stdio;
use tokio::process::Command;
use tokio_util::io::ReaderStream;

/// Bytes of a fetch's wishes.
const MAX_WISHES: u64 = 16 << 20;

/// The two things that a client can ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    fn parse(name: &str) -> Option<Self> {
        [Self::UploadPack, Self::ReceivePack].into_iter().find(|service| service.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    fn command(self) -> &'static str {
        &self.name()["git-".len()..]
    }
}

/// The three addresses of a repository.
pub(crate) fn router(git: Git) -> Router {
    Router::new()
        .route("/{repository}/info/refs", get(info_refs))
        .route("/{repository}/git-upload-pack", post(upload_pack))
        .route("/{repository}/git-receive-pack", post(receive_pack))
        // The packs' own limits apply.
        .layer(DefaultBodyLimit::disable())
        .with_state(git)
}

/// What is answered instead. Git shows the text as `remote:` lines.
pub(crate) struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.0, self.1 + "\n").into_response();
        if self.0 == StatusCode::UNAUTHORIZED {
            let ask = HeaderValue::from_static("Basic realm=\"Kigo\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
        }
        no_cache(&mut response);
        response
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        let status = match &error {
            BackendError::Unauthenticated => StatusCode::UNAUTHORIZED,
            BackendError::NotFound => StatusCode::NOT_FOUND,
            BackendError::Refused(_) => StatusCode::FORBIDDEN,
            BackendError::Internal(source) => return internal(source.as_ref()),
        };
        Self(status, format!("!\t{error}"))
    }
}

pub(crate) fn internal(error: &dyn std::error::Error) -> Failure {
    tracing::error!(%error, "a git request failed");
    Failure(StatusCode::INTERNAL_SERVER_ERROR, "!\tThe server failed.".into())
}

pub(crate) fn too_many() -> Failure {
    Failure(StatusCode::SERVICE_UNAVAILABLE, "!\tToo many pushes at one time. Try again later.".into())
}

fn no_cache(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0, must-revalidate"));
}

/// A response of git's, with the content type that its protocol wants.
pub(crate) fn answer(service: Service, kind: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    let media = format!("application/x-{}-{kind}", service.name());
    if let Ok(media) = HeaderValue::from_str(&media) {
        response.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    no_cache(&mut response);
    response
}

/// Who asks, for which app, and where its repository is.
async fn admit(
    git: &Git,
    headers: &HeaderMap,
    repository: &str,
) -> Result<(Pusher, Target, PathBuf), Failure> {
    let token = token(headers).ok_or(BackendError::Unauthenticated)?;
    let pusher = git.backend.authenticate(&token).await?;
    let name = repository.strip_suffix(".git").unwrap_or(repository);
    let name = AppName::parse(name).map_err(|_| BackendError::NotFound)?;
    let target = git.backend.app(&pusher, &name).await?;
    let path = git.repositories.ensure(target.app).await.map_err(|error| internal(&error))?;
    Ok((pusher, target, path))
}

/// The password of Basic credentials; the user name may be anything.
fn token(headers: &HeaderMap) -> Option<String> {
    let credentials = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = credentials.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    (!password.is_empty()).then(|| password.to_owned())
}

/// A git process that serves `service`, speaking the protocol version that the client asked for.
pub(crate) fn service_command(
    git: &Git,
    service: Service,
    headers: &HeaderMap,
    path: &FilePath,
    settings: &[(&str, &OsStr)],
) -> Command {
    let mut command = git.repositories.command_with(path, settings);
    command.args([service.command(), "--stateless-rpc"]);
    // Only the words that git knows: the header becomes a process's environment.
    let version = headers.get("git-protocol").and_then(|value| value.to_str().ok());
    if let Some(version) = version.filter(|version| matches!(*version, "version=1" | "version=2")) {
        command.env("GIT_PROTOCOL", version);
    }
    command
}

#[derive(serde::Deserialize)]
struct RefsQuery {
    service: Option<String>,
}

async fn info_refs(
    State(git): State<Git>,
    Path(repository): Path<String>,
    Query(query): Query<RefsQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (_, _, path) = admit(&git, &headers, &repository).await?;
    let Some(service) = query.service.as_deref().and_then(Service::parse) else {
        return Err(Failure(
            StatusCode::FORBIDDEN,
            "!\tThis server needs a git that speaks smart HTTP.".into(),
        ));
    };
    if service == Service::ReceivePack {
        git.backend.ready().await?;
    }
    let mut command = service_command(&git, service, &headers, &path, &[]);
    let output =
        command.arg("--advertise-refs").arg(&path).output().await.map_err(|error| internal(&error))?;
    if !output.status.success() {
        return Err(internal(&std::io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())));
    }
    let mut body = Vec::new();
    // Version 2 has no line that names the service.
    if !output.stdout.starts_with(b"000eversion 2\n") {
        let line = format!("# service={}\n", service.name());
        body = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    }
    body.extend_from_slice(&output.stdout);
    Ok(answer(service, "advertisement", body.into()))
}

fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|value| matches!(value.as_bytes(), b"gzip" | b"x-gzip"))
}

async fn upload_pack(
    State(git): State<Git>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (_, _, path) = admit(&git, request.headers(), &repository).await?;
    let mut command = service_command(&git, Service::UploadPack, request.headers(), &path, &[]);
    command.arg("--strict").arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| internal(&error))?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(internal(&std::io::Error::other("git has no pipes")));
    };
    let gzip = is_gzip(request.headers());
    tokio::spawn(forward(request.into_body(), gzip, MAX_WISHES, stdin));
    // The process belongs to the response: when the client goes, both go.
    let pieces =
        futures_util::stream::unfold((ReaderStream::new(stdout), child), |(mut pieces, child)| async {
            let piece = futures_util::StreamExt::next(&mut pieces).await?;
            Some((piece, (pieces, child)))
        });
    Ok(answer(Service::UploadPack, "result", Body::from_stream(pieces)))
}

async fn receive_pack(
    State(git): State<Git>,
    Path(repository): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (pusher, target, path) = admit(&git, request.headers(), &repository).await?;
    git.backend.ready().await?;
    let gzip = is_gzip(request.headers());
    receive_pack::serve(&git, pusher, target, path, gzip, request)
}
