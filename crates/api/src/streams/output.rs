//! `GET /streams/builds/…` and `GET /streams/releases/…`: what a build or a release command
//! prints, as raw bytes that follow until it is over.

use crate::streams::with_heartbeat;
use crate::{Api, ApiError, ByteStream, OutputOf};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::{BuildStatus, ReleaseStatus};
use http::{HeaderMap, StatusCode, header};
use std::time::{Duration, Instant};

/// Sent while nothing happens. Terminals show nothing for it.
const BEAT: &[u8] = b"\0";
/// How often output that is awaited is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// `GET /streams/builds/{key}`
pub(crate) async fn build(
    State(api): State<Api>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let build = ops::outputs::build(api.ops(), &key).await?;
    answer(&api, OutputOf::Build(build.id), &key, &headers).await
}

/// `GET /streams/releases/{key}`
pub(crate) async fn release(
    State(api): State<Api>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let release = ops::outputs::release(api.ops(), &key).await?;
    answer(&api, OutputOf::Release(release.id), &key, &headers).await
}

/// 404 means "not started yet" to the official CLI, which then gives up or asks again; so it comes
/// late. `Connection: close`, because the CLI does not survive a kept connection that closes later.
async fn answer(api: &Api, of: OutputOf, key: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let offset = offset(headers);
    let stream = begun(api, of, key, offset.unwrap_or(0)).await?;
    let stop = api.shutdown().cancelled_owned();
    let body = Body::from_stream(with_heartbeat(stream, BEAT, api.config().heartbeat, stop));
    let status = if offset.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
    ];
    Ok((status, headers, body).into_response())
}

/// Waits for output that is still to begin.
async fn begun(api: &Api, of: OutputOf, key: &str, offset: u64) -> Result<ByteStream, ApiError> {
    let deadline = Instant::now() + api.config().output_patience;
    let stop = api.shutdown();
    loop {
        // Asked before looking: what has ended by then has written all it will.
        let wait = is_pending(api, of, key).await && Instant::now() < deadline && !stop.is_cancelled();
        let stream = api.outputs().follow(of, offset).await;
        match stream.map_err(|error| ApiError::internal(&error))? {
            Some(stream) => return Ok(stream),
            None if wait => drop(tokio::time::timeout(LOOK_AGAIN, stop.cancelled()).await),
            None => return Err(ApiError::not_found("output")),
        }
    }
}

/// Whether something may still come of it.
async fn is_pending(api: &Api, of: OutputOf, key: &str) -> bool {
    match of {
        OutputOf::Build(_) => {
            ops::outputs::build(api.ops(), key).await.is_ok_and(|build| build.status == BuildStatus::Pending)
        }
        OutputOf::Release(_) => ops::outputs::release(api.ops(), key)
            .await
            .is_ok_and(|release| release.status == ReleaseStatus::Pending),
        // It is read when it is whole, and has no address.
        OutputOf::Setup(_) => false,
    }
}

/// The byte to go on from (`Range: bytes=1000-`), for a client whose connection broke.
fn offset(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_open_byte_ranges_only() {
        for (range, expected) in
            [("bytes=0-", Some(0)), ("bytes=12-", Some(12)), ("bytes=1-2", None), ("id ..", None)]
        {
            let headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
            assert_eq!(offset(&headers), expected, "{range}");
        }
    }
}
