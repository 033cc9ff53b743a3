//! Who asks. A token comes as `Bearer`, or as the password of `Basic` with any user, for clients
//! use both. A real password is good for making an authorization and for nothing else.

use crate::{Api, ApiError};
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use ops::Actor;
use ops::partners::Caller;

const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const MULTIPLIER: HeaderName = HeaderName::from_static("ratelimit-multiplier");
/// Asking how much is left costs nothing.
const FREE: &str = "/account/rate-limits";

/// What the `Authorization` header holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Credentials {
    None,
    Token(String),
    Basic { user: String, password: String },
}

/// Recognises who asks, counts the request against their limit and tells what is left of it.
/// Nobody is turned away here for being nobody: the endpoints that need somebody take a [`Login`].
pub(crate) async fn authenticate(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let who = match recognise(&api, request.headers()).await {
        Ok(who) => who,
        Err(error) => return error.into_response(),
    };
    let left = match who {
        None => return next.run(request).await,
        Some(Who::User(actor)) => {
            let free = request.uri().path() == FREE;
            let left = if free {
                Ok(ops::rate_limits::remaining(api.ops(), &actor))
            } else {
                ops::rate_limits::take(api.ops(), &actor)
            };
            request.extensions_mut().insert(Login(actor));
            left
        }
        Some(Who::Partner(caller)) => {
            let left = ops::rate_limits::take_as_partner(api.ops(), &caller);
            request.extensions_mut().insert(PartnerLogin(caller));
            left
        }
    };
    let (left, mut response) = match left {
        Ok(left) => (left, next.run(request).await),
        Err(error) => (0, ApiError::from(error).into_response()),
    };
    response.headers_mut().insert(REMAINING, left.into());
    response.headers_mut().insert(MULTIPLIER, HeaderValue::from_static("1"));
    response
}

/// Whose token it is; `None` if there is none or nobody's.
async fn recognise(api: &Api, headers: &HeaderMap) -> Result<Option<Who>, ApiError> {
    let (user, token) = match credentials(headers) {
        Credentials::None => return Ok(None),
        Credentials::Token(token) => (None, token),
        Credentials::Basic { user, password } => (Some(user), password),
    };
    match ops::authorizations::authenticate(api.ops(), &token).await {
        Ok(actor) => return Ok(Some(Who::User(actor))),
        Err(ops::Error::Unauthorized(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let caller = match (ops::partners::authenticate(api.ops(), &token).await?, user) {
        (None, Some(name)) => ops::partners::authenticate_service(api.ops(), &name, &token).await?,
        (known, _) => known,
    };
    Ok(caller.map(Who::Partner))
}

/// Reads the header. `Bearer undefined` is what the official CLI sends when nobody is logged in.
fn credentials(headers: &HeaderMap) -> Credentials {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, rest)) = value.and_then(|value| value.trim().split_once(' ')) else {
        return Credentials::None;
    };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() && rest != "undefined" {
        return Credentials::Token(rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = BASE64_STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((user, password)) = decoded.as_deref().and_then(|text| text.split_once(':'))
            && !password.is_empty()
        {
            return Credentials::Basic { user: user.to_owned(), password: password.to_owned() };
        }
    }
    Credentials::None
}

/// Somebody who showed a token. Taking it in a handler turns everybody else away with 401.
#[derive(Clone)]
pub(crate) struct Login(pub(crate) Actor);

impl<S: Sync> FromRequestParts<S> for Login {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthorized)
    }
}

/// A partner that showed a token, or its service's password.
#[derive(Clone)]
pub(crate) struct PartnerLogin(pub(crate) Caller);

impl<S: Sync> FromRequestParts<S> for PartnerLogin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if parts.extensions.get::<Login>().is_some() {
            let message = "Only the partner that runs this add-on's service may do this.";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
        }
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthorized)
    }
}

/// Either of them, where both may ask.
#[expect(clippy::large_enum_variant, reason = "one a request, and not for long")]
pub(crate) enum Who {
    User(Actor),
    Partner(Caller),
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if let Some(PartnerLogin(caller)) = parts.extensions.get::<PartnerLogin>() {
            return Ok(Self::Partner(caller.clone()));
        }
        let Login(actor) = parts.extensions.get::<Login>().cloned().ok_or_else(ApiError::unauthorized)?;
        Ok(Self::User(actor))
    }
}

/// Somebody who showed a token, or an address and a password.
pub(crate) struct PasswordLogin(pub(crate) Actor);

impl FromRequestParts<Api> for PasswordLogin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        if let Some(Login(actor)) = parts.extensions.get::<Login>() {
            return Ok(Self(actor.clone()));
        }
        match credentials(&parts.headers) {
            Credentials::Basic { user, password } => {
                Ok(Self(ops::accounts::log_in(api.ops(), &user, &password).await?))
            }
            Credentials::None | Credentials::Token(_) => Err(ApiError::unauthorized()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send() {
        let token = |text: &str| Credentials::Token(text.into());
        let basic =
            |user: &str, password: &str| Credentials::Basic { user: user.into(), password: password.into() };
        for (header, expected) in [
            ("Bearer abc", token("abc")),
            ("bearer  abc ", token("abc")),
            ("Bearer undefined", Credentials::None),
            ("Bearer", Credentials::None),
            ("", Credentials::None),
            ("Basic OnRva2Vu", basic("", "token")),
            ("Basic YTpiOmM=", basic("a", "b:c")),
            ("Basic bm8gY29sb24=", Credentials::None),
            ("Basic dXNlcjo=", Credentials::None),
            ("Basic !", Credentials::None),
            ("Digest abc", Credentials::None),
        ] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, header.parse().unwrap())]);
            assert_eq!(credentials(&headers), expected, "{header}");
        }
    }
}
