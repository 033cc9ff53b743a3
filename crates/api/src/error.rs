//! Errors as the Platform API tells them: a status, a word for programs, a sentence for people.
//!
//! Every body with a status of 400 or more is made here, and every word in it that `ops` did not
//! choose is written here.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// What a handler or a layer answers instead of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    pub status: StatusCode,
    pub body: wire::Error,
}

impl ApiError {
    /// An error of this status with Heroku's `id` and a sentence.
    pub fn new(status: StatusCode, id: &str, message: impl Into<String>) -> Self {
        let body = wire::Error { id: id.to_owned(), message: message.into(), url: None, more: Map::new() };
        Self { status, body }
    }

    /// Adds a property to the body.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.body.more.insert(key.to_owned(), value.into());
        self
    }

    /// 400: the request could not be read.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 401: nobody is logged in, or the token is not known any more.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Invalid credentials provided.")
    }

    /// 404: no such resource; `resource` is Heroku's word for it, as in `app` or `dyno`.
    pub fn not_found(resource: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("Couldn't find that {resource}."))
            .with("resource", resource.replace(' ', "_"))
    }

    /// 404: no such path.
    pub fn no_endpoint() -> Self {
        let message = "The requested API endpoint was not found. Are you using the right HTTP verb \
                       (i.e. `GET` vs. `POST`), and did you specify your intended version with the \
                       `Accept` header?";
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 406: the `Accept` header asks for no version that is spoken here.
    pub fn not_acceptable() -> Self {
        let message = "Say which version of the API you speak with the header \
                       `Accept: application/vnd.heroku+json; version=3`.";
        Self::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message)
    }

    /// 408: the request's body did not come.
    pub fn request_timeout() -> Self {
        let message = "The request body took too long.";
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
    }

    /// 413: a body above the limit.
    pub fn too_large(limit: u64) -> Self {
        let message = format!("The request body is too large. At most {limit} bytes are accepted here.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    /// 416: a `Range` header that cannot be met.
    pub fn bad_range(message: impl Into<String>) -> Self {
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "requested_range_not_satisfiable", message)
    }

    /// 422: the request could be read, but what it asks for cannot be.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_params", message)
    }

    /// 429: the account's bucket of requests is empty.
    pub fn rate_limited() -> Self {
        let message = "Your account reached the API rate limit. Please wait a few minutes before making \
                       new requests.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit", message)
    }

    /// 500: a fault of Kigo's own. The cause goes to the server's log and not to the client, which
    /// can name the request by its `Request-Id`.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        if ops::is_disk_full(cause) {
            return ops::Error::DiskFull.into();
        }
        tracing::error!(cause = %Chain(cause), "answered 500");
        Self::internal_without_cause()
    }

    /// As [`ApiError::internal`], where the cause was already logged.
    pub fn internal_without_cause() -> Self {
        let message = "There was an error inside Kigo. Try again; if it stays, ask whoever runs this server \
                       to look for the Request-Id in its log.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", message)
    }
}

impl From<ops::Error> for ApiError {
    fn from(error: ops::Error) -> Self {
        if let ops::Error::Internal(cause) = &error {
            return Self::internal(cause.as_ref());
        }
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if matches!(error, ops::Error::DiskFull) {
            tracing::error!("answered 507: the disk is full");
        }
        let answer = Self::new(status, error.id(), error.to_string());
        match &error {
            ops::Error::ConfirmationRequired { name, .. } => answer.with("name", name.as_str()),
            _ => match error.resource() {
                Some(resource) => answer.with("resource", resource),
                None => answer,
            },
        }
    }
}

impl From<crate::DatabaseError> for ApiError {
    fn from(error: crate::DatabaseError) -> Self {
        match &error {
            crate::DatabaseError::Refused(why) => Self::invalid_params(why.as_str()),
            crate::DatabaseError::Unreachable(_) => {
                tracing::warn!(cause = %Chain(&error), "answered 503");
                let message = "The database does not answer. It may be starting: try again in a minute.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message)
            }
            crate::DatabaseError::Failed(_) => Self::internal(&error),
        }
    }
}

/// An error with everything that caused it: each says only its own level.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let asked = self.body.more.get("name").filter(|_| self.status == StatusCode::LOCKED);
        let confirmation = asked.and_then(Value::as_str).and_then(|name| HeaderValue::from_str(name).ok());
        let mut response = (self.status, axum::Json(self.body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Basic realm=\"Kigo\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        }
        if let Some(name) = confirmation {
            response.headers_mut().insert("x-confirmation-required", name);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told() {
        let cause = std::io::Error::other(std::io::Error::from(std::io::ErrorKind::StorageFull));
        for error in [ApiError::internal(&cause), crate::UploadError::Storage(cause).into()] {
            assert_eq!((error.status.as_u16(), error.body.id.as_str()), (507, "insufficient_storage"));
            assert!(error.body.message.starts_with("The disk of this server is full"));
        }
    }

    #[test]
    fn bodies_have_the_cli_s_shape() {
        let body = serde_json::to_value(ApiError::not_found("log drain").body).unwrap();
        let expected = serde_json::json!({
            "id": "not_found", "message": "Couldn't find that log drain.", "resource": "log_drain",
        });
        assert_eq!(body, expected);
    }
}
