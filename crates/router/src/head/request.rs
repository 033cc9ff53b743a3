//! A client's head: whom it is for, whether it may pass, and how a dyno gets it.

use super::{Connection, VIA_10, VIA_11, join, tokens};
use crate::config::Limits;
use crate::connection::Peer;
use crate::fault::{BAD_EXPECT, BAD_HEADER, Fault};
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::request::Parts;
use http::{Method, Request, StatusCode, Uri, Version};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Bytes of a method name at most.
const METHOD_BYTES: usize = 127;
/// Room for what the router adds to a head.
const ADDED: usize = 320;

/// How the request reached the machine, for the dyno and for the log.
pub(crate) struct Forwarded {
    /// `X-Forwarded-For`: what came, then the client's own address.
    pub(crate) chain: HeaderValue,
    /// `X-Forwarded-Proto`.
    pub(crate) protocol: &'static str,
    /// `X-Forwarded-Port`.
    pub(crate) port: HeaderValue,
}

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

/// A value that keeps nothing but itself in memory.
pub(crate) fn copy(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
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
pub(crate) fn check(head: &Parts, limits: &Limits) -> Result<(), &'static Fault> {
    let path = head.uri.path_and_query().map_or(1, |path| path.as_str().len());
    let line = head.method.as_str().len() + path + " HTTP/1.1\r\n".len();
    if line > limits.request_line || head.method.as_str().len() > METHOD_BYTES {
        return Err(&BAD_HEADER);
    }
    let (mut coded, mut expected) = (false, true);
    for (name, value) in &head.headers {
        if name.as_str().len() + 2 + value.len() > limits.request_line {
            return Err(&BAD_HEADER);
        }
        match *name {
            TRANSFER_ENCODING if coded || !value.as_bytes().eq_ignore_ascii_case(b"chunked") => {
                return Err(&BAD_HEADER);
            }
            TRANSFER_ENCODING => coded = true,
            EXPECT => expected &= value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            _ => {}
        }
    }
    if expected { Ok(()) } else { Err(&BAD_EXPECT) }
}

/// The protocol a client asks to change to, if it asks rightly.
pub(crate) fn wanted_upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    if request.version() != Version::HTTP_11 {
        return None;
    }
    let upgrade = request.headers().get(UPGRADE)?;
    connection(request.headers()).upgrade.then(|| upgrade.clone())
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
        return copy(given);
    }
    // Random bytes from this thread's generator: the operating system's would cost a call each.
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// How the request came: as the router saw it, or as a trusted proxy says.
pub(crate) fn forwarded(headers: &HeaderMap, peer: &Peer) -> Forwarded {
    let said = peer.trusted.then(|| said_protocol(headers)).flatten();
    let port = peer.trusted.then(|| said_port(headers)).flatten();
    let port = port.or_else(|| said.map(|(_, port)| HeaderValue::from_static(port)));
    Forwarded {
        chain: forwarded_for(headers, &peer.address),
        protocol: said.map_or("http", |(protocol, _)| protocol),
        port: port.unwrap_or_else(|| peer.port.clone()),
    }
}

/// The protocol that a proxy names, and its usual port.
fn said_protocol(headers: &HeaderMap) -> Option<(&'static str, &'static str)> {
    let said = single(headers, X_FORWARDED_PROTO)?.as_bytes();
    let known = [("http", "80"), ("https", "443")];
    known.into_iter().find(|(protocol, _)| protocol.as_bytes().eq_ignore_ascii_case(said))
}

fn said_port(headers: &HeaderMap) -> Option<HeaderValue> {
    let said = single(headers, X_FORWARDED_PORT)?.to_str().ok()?;
    let digits = Some(said).filter(|said| said.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse::<u16>().ok().filter(|port| *port > 0).map(HeaderValue::from)
}

/// A header's value where it has one only.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn forwarded_for(headers: &HeaderMap, client: &HeaderValue) -> HeaderValue {
    if !headers.contains_key(X_FORWARDED_FOR) {
        return client.clone();
    }
    let mut line = Vec::with_capacity(64);
    join(&mut line, headers.get_all(X_FORWARDED_FOR).iter(), client.as_bytes());
    HeaderValue::from_maybe_shared(bytes::Bytes::from(line)).unwrap_or_else(|_| client.clone())
}

/// What the router puts into a head in place of what came.
pub(crate) struct Own<'a> {
    pub(crate) host: &'a HeaderValue,
    pub(crate) id: &'a HeaderValue,
    pub(crate) forwarded: &'a Forwarded,
    pub(crate) upgrade: Option<&'a HeaderValue>,
}

/// A client's head as the bytes that a dyno gets.
pub(crate) fn write(head: &Parts, own: &Own) -> Vec<u8> {
    let mut to = Vec::with_capacity(room(head));
    to.extend_from_slice(head.method.as_str().as_bytes());
    to.push(b' ');
    write_target(&mut to, &head.uri);
    to.extend_from_slice(b" HTTP/1.1\r\n");
    line(&mut to, "host", own.host.as_bytes());
    let connection = connection(&head.headers);
    let chunked = is_chunked(&head.headers);
    let mut trailers = false;
    for (name, value) in &head.headers {
        match *name {
            TE => trailers |= tokens(value.as_bytes()).any(|token| token.eq_ignore_ascii_case(b"trailers")),
            // A body in chunks is framed anew, so its length, if it claims one, goes too.
            CONTENT_LENGTH if chunked => {}
            HOST | VIA | EXPECT | PROXY_AUTHORIZATION => {}
            _ if is_replaced(name) || connection.owns(name.as_str()) => {}
            _ => line(&mut to, name.as_str(), value.as_bytes()),
        }
    }
    if chunked {
        line(&mut to, "transfer-encoding", b"chunked");
    }
    if trailers {
        line(&mut to, "te", b"trailers");
    }
    if let Some(upgrade) = own.upgrade {
        line(&mut to, "upgrade", upgrade.as_bytes());
        line(&mut to, "connection", b"upgrade");
    }
    line(&mut to, X_REQUEST_ID.as_str(), own.id.as_bytes());
    line(&mut to, X_FORWARDED_FOR.as_str(), own.forwarded.chain.as_bytes());
    line(&mut to, X_FORWARDED_PROTO.as_str(), own.forwarded.protocol.as_bytes());
    line(&mut to, X_FORWARDED_PORT.as_str(), own.forwarded.port.as_bytes());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    line(&mut to, X_REQUEST_START.as_str(), itoa::Buffer::new().format(now.as_millis() as u64).as_bytes());
    to.extend_from_slice(b"via: ");
    let came = head.headers.get_all(VIA).iter().filter(|_| !connection.owns("via"));
    join(&mut to, came, if head.version == Version::HTTP_10 { VIA_10 } else { VIA_11 });
    to.extend_from_slice(b"\r\n\r\n");
    to
}

/// Whether the body comes in chunks.
pub(crate) fn is_chunked(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
}

/// Headers that the router says in place of the client.
fn is_replaced(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-")
        && [X_REQUEST_ID, X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_PORT, X_REQUEST_START]
            .contains(name)
}

fn connection(headers: &HeaderMap) -> Connection<'_> {
    Connection::read(headers.get_all(CONNECTION).iter().map(HeaderValue::as_bytes))
}

fn room(head: &Parts) -> usize {
    let headers: usize =
        head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    headers + head.uri.path_and_query().map_or(1, |path| path.as_str().len()) + ADDED
}

/// The address without scheme and host, which are in `Host`.
fn write_target(to: &mut Vec<u8>, uri: &Uri) {
    let target = uri.path_and_query().map_or("/", |path| path.as_str());
    if !target.starts_with(['/', '*']) {
        to.push(b'/');
    }
    to.extend_from_slice(target.as_bytes());
}

fn line(to: &mut Vec<u8>, name: &str, value: &[u8]) {
    to.extend_from_slice(name.as_bytes());
    to.extend_from_slice(b": ");
    to.extend_from_slice(value);
    to.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
