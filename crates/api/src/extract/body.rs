//! JSON bodies, read leniently: an empty one counts as `{}`, and the `Content-Type` does not
//! matter, for clients send `application/x-www-form-urlencoded` with JSON in it (`curl -d`).

use crate::ApiError;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::time::Duration;

/// Bytes of a JSON body at most. Config vars may have 64 KB; the rest is smaller.
pub(crate) const LIMIT: usize = 1 << 20;

/// How long a body may take to come. These are small; who sends one byte at a time means no good.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A request's body as `T`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        parse(&read(request.into_body()).await?).map(Self)
    }
}

/// Reads a body to its end, or to the limit.
pub(crate) async fn read(body: axum::body::Body) -> Result<Bytes, ApiError> {
    let whole = tokio::time::timeout(PATIENCE, Limited::new(body, LIMIT).collect()).await;
    match whole.map_err(|_| ApiError::request_timeout())? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(ApiError::too_large(LIMIT as u64))
        }
        Err(_) => Err(ApiError::bad_request("The request body ended before it was complete.")),
    }
}

/// Reads JSON. What is no JSON is a bad request; JSON of another shape has invalid parameters.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
    // A list would be read as an object's values in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::invalid_params("The request body is a list, but an object is expected."));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => {
            ApiError::invalid_params(format!("The request body is not what is expected: {error}."))
        }
        _ => ApiError::bad_request(format!("The request body is not valid JSON: {error}.")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::formation::BatchUpdate;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        use futures_util::StreamExt;
        let slow = futures_util::stream::iter(0..).then(async |_| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b" "))
        });
        let error = read(axum::body::Body::from_stream(slow)).await.unwrap_err();
        assert_eq!(error.status.as_u16(), 408);
        let quick = axum::body::Body::from("{}");
        assert_eq!(read(quick).await.unwrap(), "{}");
    }

    #[test]
    fn tells_broken_json_from_the_wrong_shape() {
        assert!(parse::<wire::app::Create>(b"").is_ok());
        assert!(parse::<wire::app::Create>(b" \n").is_ok());
        for (body, status, words) in [
            (&b"{"[..], 400, "not valid JSON: EOF while parsing an object at line 1 column 1."),
            (b"a=b", 400, "not valid JSON: expected value"),
            (b"[]", 422, "is a list"),
            (b"{\"updates\": [{\"quantity\": 1.5}]}", 422, "expected a whole number or text"),
            (b"{}", 422, "missing field `updates`"),
            (b"{\"updates\": 3}", 422, "invalid type: integer `3`, expected a sequence"),
        ] {
            let error = parse::<BatchUpdate>(body).unwrap_err();
            assert_eq!(error.status.as_u16(), status);
            assert!(error.body.message.contains(words), "{}", error.body.message);
        }
    }
}
