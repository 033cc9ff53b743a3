//! The address under which the client reached the API, for the addresses that answers carry.

use crate::{Api, ApiError};
use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;

/// Put into a request's extensions by the server when the connection is TLS.
#[derive(Clone, Copy, Debug)]
pub struct Secure;

/// `http://localhost:5000`, without a slash at the end. The configured one, or else the one the
/// client used itself, so that a forwarded port keeps working. (A forged `Host` only reaches the
/// client that forged it.)
pub(crate) struct Origin(pub(crate) String);

impl FromRequestParts<Api> for Origin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        if let Some(origin) = &api.config().origin {
            return Ok(Self(origin.trim_end_matches('/').to_owned()));
        }
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
        let host = host.filter(|host| host.parse::<http::uri::Authority>().is_ok());
        let host = host.ok_or_else(|| ApiError::bad_request("The Host header is missing or not valid."))?;
        let scheme = if parts.extensions.get::<Secure>().is_some() { "https" } else { "http" };
        Ok(Self(format!("{scheme}://{host}")))
    }
}
