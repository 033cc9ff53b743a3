//! Heads of messages: which requests are refused, and what changes on the way through.
//!
//! The rules follow RFC 9110 and 9112 where Heroku's documentation is silent; they exist so that
//! router and dyno never disagree about where a message ends or for whom it is.

use crate::config::Limits;
use crate::connection::Client;
use crate::fault::{BAD_EXPECT, BAD_HEADER, BIG_COOKIE, Fault};
use crate::record::Record;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, Entry, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{Method, Request, StatusCode, Version};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What the router adds to `Via`.
const VIA_11: &str = "1.1 kigo-router";
const VIA_10: &str = "1.0 kigo-router";
/// Bytes of a method name at most.
const METHOD_BYTES: usize = 127;

/// The host that a request is for, as it was given: from the one `Host` header, or from the
/// address where that is absolute.
pub(crate) fn host<B>(request: &Request<B>) -> Result<HeaderValue, StatusCode> {
    if request.method() == Method::CONNECT {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) if !host.is_empty() => host.clone(),
        // HTTP/1.0 clients may leave it out only by naming the host in the address.
        (None, None) => match request.uri().authority() {
            Some(authority) if request.version() == Version::HTTP_10 => {
                HeaderValue::from_str(authority.as_str()).map_err(|_| StatusCode::BAD_REQUEST)?
            }
            _ => return Err(StatusCode::BAD_REQUEST),
        },
        _ => return Err(StatusCode::BAD_REQUEST),
    };
    match request.uri().authority() {
        Some(authority) if !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
            Err(StatusCode::BAD_REQUEST)
        }
        _ => Ok(host),
    }
}

/// The key of the route table for a host: lower case, without port and root dot.
pub(crate) fn route_key(host: &HeaderValue) -> Option<Cow<'_, str>> {
    let host = host.to_str().ok()?;
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let shout = host.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if shout { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) })
}

/// Refuses what cannot be passed on safely.
pub(crate) fn check<B>(request: &Request<B>, limits: &Limits) -> Result<(), &'static Fault> {
    let headers = request.headers();
    let path = request.uri().path_and_query().map_or(1, |path| path.as_str().len());
    let line = request.method().as_str().len() + path + " HTTP/1.1\r\n".len();
    if line > limits.request_line || request.method().as_str().len() > METHOD_BYTES {
        return Err(&BAD_HEADER);
    }
    if headers.iter().any(|(name, value)| name.as_str().len() + 2 + value.len() > limits.request_line) {
        return Err(&BAD_HEADER);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(&BAD_HEADER);
    }
    if headers.get_all(EXPECT).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(&BAD_EXPECT);
    }
    Ok(())
}

/// The protocol a client asks to change to, if it asks rightly.
pub(crate) fn wanted_upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    if request.version() != Version::HTTP_11 {
        return None;
    }
    let upgrade = request.headers().get(UPGRADE)?;
    has_token(request.headers(), &CONNECTION, "upgrade").then(|| upgrade.clone())
}

/// The request's id: the client's where it may stand for one, else a fresh UUID.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let usable = |value: &&HeaderValue| {
        (20..=200).contains(&value.len())
            && value
                .as_bytes()
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-'))
    };
    if let Some(given) = headers.get(X_REQUEST_ID).filter(usable) {
        return given.clone();
    }
    // Random bytes from this thread's generator: the operating system's would cost a call each.
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// `X-Forwarded-For` for the dyno: what came, then the client's own address.
pub(crate) fn forwarded_for(headers: &HeaderMap, client: &HeaderValue) -> HeaderValue {
    let mut came = headers.get_all(X_FORWARDED_FOR).iter().peekable();
    if came.peek().is_none() {
        return client.clone();
    }
    let mut joined = Vec::with_capacity(64);
    for value in came {
        joined.extend_from_slice(value.as_bytes());
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(client.as_bytes());
    HeaderValue::from_bytes(&joined).unwrap_or_else(|_| client.clone())
}

/// Makes a client's head into the one that a dyno gets.
pub(crate) fn to_dyno<B>(
    request: &mut Request<B>,
    record: &Record,
    client: &Client,
    upgrade: Option<HeaderValue>,
) {
    let via = if request.version() == Version::HTTP_10 { VIA_10 } else { VIA_11 };
    let headers = request.headers_mut();
    let trailers = has_token(headers, &TE, "trailers");
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    strip_hop_by_hop(headers);
    if chunked {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    headers.remove(TE);
    headers.remove(EXPECT);
    headers.remove(PROXY_AUTHORIZATION);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = upgrade {
        headers.insert(UPGRADE, upgrade);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    headers.insert(HOST, record.host.clone());
    headers.insert(X_REQUEST_ID, record.request_id.clone());
    headers.insert(X_FORWARDED_FOR, record.forwarded_for.clone());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    headers.insert(X_FORWARDED_PORT, client.port.clone());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    headers.insert(X_REQUEST_START, HeaderValue::from(now.as_millis() as u64));
    add_via(headers, via);
    *request.uri_mut() = origin_form(request.uri());
    *request.version_mut() = Version::HTTP_11;
}

/// Makes a dyno's head into the one that the client gets.
pub(crate) fn to_client(headers: &mut HeaderMap, limits: &Limits) -> Result<(), &'static Fault> {
    strip_hop_by_hop(headers);
    let cookie = |value: &HeaderValue| SET_COOKIE.as_str().len() + 2 + value.len() > limits.cookie;
    if headers.get_all(SET_COOKIE).iter().any(cookie) {
        return Err(&BIG_COOKIE);
    }
    add_via(headers, VIA_11);
    Ok(())
}

/// Removes what concerns one connection only (RFC 9110, 7.6.1). A message in chunks is framed
/// anew, so its length, if it claims one, goes too.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
            .filter_map(|token| HeaderName::from_bytes(token).ok())
            // A client must not make the router forget whom the request is for or from.
            .filter(|name| {
                *name != HOST && *name != CONTENT_LENGTH && !name.as_str().starts_with("x-forwarded-")
            })
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    headers.remove(KEEP_ALIVE);
    headers.remove(PROXY_CONNECTION);
    headers.remove(PROXY_AUTHENTICATE);
    headers.remove(UPGRADE);
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
}

fn add_via(headers: &mut HeaderMap, own: &'static str) {
    match headers.entry(VIA) {
        Entry::Vacant(vacant) => {
            vacant.insert(HeaderValue::from_static(own));
        }
        Entry::Occupied(occupied) => {
            let mut joined = Vec::new();
            for value in occupied.iter() {
                joined.extend_from_slice(value.as_bytes());
                joined.extend_from_slice(b", ");
            }
            joined.extend_from_slice(own.as_bytes());
            let joined = HeaderValue::from_bytes(&joined).unwrap_or(HeaderValue::from_static(own));
            headers.insert(VIA, joined);
        }
    }
}

fn origin_form(uri: &http::Uri) -> http::Uri {
    if uri.authority().is_none() {
        return uri.clone();
    }
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = uri.path_and_query().cloned();
    http::Uri::from_parts(parts).unwrap_or_default()
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// The members of a comma-separated header, without parameters and spaces.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|token| token.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii())
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests;
