//! Blobs: `/v2/{name}/blobs/{digest}`.

use crate::error::{Code, Failure};
use crate::{Registry, value};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use domain::{Digest, RepositoryName};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use ops::Actor;
use std::io::SeekFrom;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Bytes that are read at one time.
const PIECE: usize = 256 << 10;

/// `GET` and `HEAD`, also of a part.
pub(crate) async fn get(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    digest: &Digest,
    request: &Parts,
) -> Result<Response, Failure> {
    let size = ops::registry::blob(&registry.ops, actor, name, digest).await?.size;
    let (first, length, status) = match range(&request.headers, size) {
        Wanted::All => (0, size, StatusCode::OK),
        Wanted::Part { first, last } => (first, last - first + 1, StatusCode::PARTIAL_CONTENT),
        Wanted::Nothing => {
            let failure = Failure::new(Code::RangeInvalid, format!("The blob has {size} bytes."));
            return Err(failure.with(header::CONTENT_RANGE, value(format!("bytes */{size}"))?));
        }
    };
    let body = if request.method == Method::HEAD {
        Body::empty()
    } else {
        content(registry, digest, first, length).await?
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, value(format!("\"{digest}\""))?);
    headers.insert(CONTENT_DIGEST, value(digest.to_string())?);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{size}", first + length - 1);
        headers.insert(header::CONTENT_RANGE, value(range)?);
    }
    Ok(response)
}

/// A part of a blob of the image store, as a body.
pub(crate) async fn content(
    registry: &Registry,
    digest: &Digest,
    first: u64,
    length: u64,
) -> Result<Body, Failure> {
    let file = registry.images.open_blob(digest)?;
    let mut file = tokio::fs::File::from_std(file);
    if first > 0 {
        file.seek(SeekFrom::Start(first)).await.map_err(|error| Failure::internal(&error))?;
    }
    Ok(Body::from_stream(ReaderStream::with_capacity(file.take(length), PIECE)))
}

/// `DELETE`
pub(crate) async fn delete(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, Failure> {
    ops::registry::delete_blob(&registry.ops, actor, name, digest).await.map_err(Failure::in_use)?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Which bytes are asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part {
        first: u64,
        last: u64,
    },
    /// None that are there.
    Nothing,
}

/// Reads `Range: bytes=…` (RFC 9110, section 14.2). What is not understood, and several ranges at
/// once, may be answered with all there is.
fn range(headers: &HeaderMap, size: u64) -> Wanted {
    let text = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let Some((first, last)) =
        text.and_then(|text| text.strip_prefix("bytes=")).and_then(|range| range.trim().split_once('-'))
    else {
        return Wanted::All;
    };
    let number =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match (first, last) {
        ("", count) => match number(count) {
            None => Wanted::All,
            Some(0) => Wanted::Nothing,
            Some(_) if size == 0 => Wanted::Nothing,
            Some(count) => Wanted::Part { first: size - count.min(size), last: size - 1 },
        },
        (first, last) => {
            let last = if last.is_empty() { Some(u64::MAX) } else { number(last) };
            match number(first).zip(last) {
                Some((first, last)) if first <= last => {
                    if first >= size {
                        return Wanted::Nothing;
                    }
                    Wanted::Part { first, last: last.min(size - 1) }
                }
                _ => Wanted::All,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |first, last| Wanted::Part { first, last };
        for (text, expected) in [
            ("bytes=0-9", part(0, 9)),
            ("bytes=3-", part(3, 99)),
            ("bytes=3-3", part(3, 3)),
            ("bytes=90-1000", part(90, 99)),
            ("bytes=-10", part(90, 99)),
            ("bytes=-1000", part(0, 99)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-4", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("lines=1-2", Wanted::All),
        ] {
            let headers = HeaderMap::from_iter([(header::RANGE, text.parse().unwrap())]);
            assert_eq!(range(&headers, 100), expected, "{text}");
        }
        assert_eq!(range(&HeaderMap::new(), 100), Wanted::All);
        let headers = HeaderMap::from_iter([(header::RANGE, "bytes=-5".parse().unwrap())]);
        assert_eq!(range(&headers, 0), Wanted::Nothing);
    }
}
