//! A dyno's head: read from its bytes, and made into the one that the client gets.

use super::{Connection, VIA_11, join};
use crate::chunked::Chunked;
use crate::config::Limits;
use crate::fault::{BAD_LENGTH, BIG_COOKIE, BIG_HEADER, Fault, MALFORMED};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, VIA};
use http::{Method, StatusCode};
use httparse::{ParserConfig, Response, Status};
use hyper::ext::ReasonPhrase;
use std::mem::MaybeUninit;

/// Header lines at most.
const FIELDS: usize = 100;
/// How every response begins.
const START: &[u8] = b"HTTP/";

/// What a dyno's head says.
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// The words behind the status, where they are not the usual ones.
    pub(crate) reason: Option<ReasonPhrase>,
    /// As the client gets them.
    pub(crate) headers: HeaderMap,
    /// The protocol that a 101 changes to.
    pub(crate) upgrade: Option<HeaderValue>,
    pub(crate) framing: Framing,
    /// Whether the dyno takes another request on this connection.
    pub(crate) keep: bool,
}

/// Where the body ends (RFC 9112, 6.3).
pub(crate) enum Framing {
    /// After so many bytes more.
    Length(u64),
    Chunked(Chunked),
    /// Where the connection ends.
    Close,
}

/// Waits for a head that comes in pieces.
#[derive(Default)]
pub(crate) struct Reader {
    /// How much of what is unread was looked through before.
    seen: usize,
    /// Bytes of heads that came before the answer's.
    passed: usize,
}

impl Reader {
    /// Takes the head off the front of `unread`; nothing while it is not there as a whole. What a
    /// dyno says before its answer (1xx) is passed over, for the server side cannot send it on.
    /// `headers` is empty and is filled.
    pub(crate) fn read(
        &mut self,
        unread: &mut BytesMut,
        method: &Method,
        limits: &Limits,
        headers: &mut HeaderMap,
    ) -> Result<Option<Head>, &'static Fault> {
        while let Some(length) = self.extent(unread, limits)? {
            let bytes = unread.split_to(length).freeze();
            let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
            let mut response = Response::new(&mut []);
            let parser = ParserConfig::default();
            match parser.parse_response_with_uninit_headers(&mut response, &bytes, &mut fields) {
                Ok(Status::Complete(parsed)) if parsed == length => {}
                Err(httparse::Error::TooManyHeaders) => return Err(&BIG_HEADER),
                Ok(_) | Err(_) => return Err(&MALFORMED),
            }
            let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(&MALFORMED)?;
            if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                return head(&bytes, &response, status, method, limits, std::mem::take(headers)).map(Some);
            }
            self.seen = 0;
            self.passed += length;
        }
        self.seen = unread.len();
        Ok(None)
    }

    /// The length of the head that `unread` begins with, if its end is there. The limit is for all
    /// heads together: there is no end to those before the answer's.
    fn extent(&self, unread: &[u8], limits: &Limits) -> Result<Option<usize>, &'static Fault> {
        let start = &unread[..unread.len().min(START.len())];
        if !START.starts_with(start) {
            return Err(&MALFORMED);
        }
        // An empty line may have begun before.
        let end = end(unread, self.seen.saturating_sub(2));
        if self.passed + end.unwrap_or(unread.len()) > limits.response_head {
            return Err(&BIG_HEADER);
        }
        Ok(end)
    }
}

/// The index behind the first empty line after `from`.
fn end(unread: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'\n', &unread[from..]).map(|index| from + index + 1).find_map(|next| {
        match unread[next..] {
            [b'\n', ..] => Some(next + 1),
            [b'\r', b'\n', ..] => Some(next + 2),
            _ => None,
        }
    })
}

fn head(
    bytes: &Bytes,
    response: &Response,
    status: StatusCode,
    method: &Method,
    limits: &Limits,
    mut headers: HeaderMap,
) -> Result<Head, &'static Fault> {
    let connection = Connection::read(lines(response, "connection"));
    let chunked = is_chunked(response)?;
    let length = length(response)?;
    let mut via = Vec::new();
    headers.reserve(response.headers.len() + 1);
    for field in response.headers.iter().filter(|field| !connection.owns(field.name)) {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| &MALFORMED)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).map_err(|_| &MALFORMED)?;
        match name {
            // A message in chunks has no length, and no message has two.
            CONTENT_LENGTH if chunked || headers.contains_key(CONTENT_LENGTH) => {}
            CONTENT_LENGTH if value.as_bytes().contains(&b',') => {
                headers.insert(name, HeaderValue::from(length.unwrap_or_default()));
            }
            SET_COOKIE if field.name.len() + 2 + value.len() > limits.cookie => return Err(&BIG_COOKIE),
            VIA => via.push(value),
            _ => {
                headers.append(name, value);
            }
        }
    }
    headers.insert(VIA, via_line(&via));
    let persistent = !connection.close && (response.version == Some(1) || connection.keep_alive);
    let framing = framing(status, method, chunked, length);
    let keep = persistent && !matches!(framing, Framing::Close) && !is_doubtful(status, chunked, length);
    let upgrade = lines(response, "upgrade").next().and_then(|line| HeaderValue::from_bytes(line).ok());
    Ok(Head { status, reason: reason(response, status), headers, upgrade, framing, keep })
}

/// What the lines with this name say.
fn lines<'a>(response: &'a Response, name: &str) -> impl Iterator<Item = &'a [u8]> {
    response.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

/// Whether the body comes in chunks. With any other coding, or two, or in HTTP/1.0, nobody knows
/// where it ends.
fn is_chunked(response: &Response) -> Result<bool, &'static Fault> {
    let mut codings = lines(response, "transfer-encoding");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") && response.version == Some(1) => {
            Ok(true)
        }
        _ => Err(&MALFORMED),
    }
}

/// The length that `Content-Length` gives, as often as it does.
fn length(response: &Response) -> Result<Option<u64>, &'static Fault> {
    let mut length = None;
    for one in lines(response, "content-length").flat_map(|line| line.split(|byte| *byte == b',')) {
        let digits = std::str::from_utf8(one.trim_ascii()).ok();
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        // Refuses an empty one and one that is too large.
        let one: u64 = digits.and_then(|digits| digits.parse().ok()).ok_or(&BAD_LENGTH)?;
        if length.is_some_and(|length| length != one) {
            return Err(&BAD_LENGTH);
        }
        length = Some(one);
    }
    Ok(length)
}

fn framing(status: StatusCode, method: &Method, chunked: bool, length: Option<u64>) -> Framing {
    let bodyless = method == Method::HEAD
        || matches!(
            status,
            StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    match length {
        _ if bodyless => Framing::Length(0),
        _ if chunked => Framing::Chunked(Chunked::default()),
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    }
}

/// Whether something may follow the message that its head does not own up to: a body with a length
/// beside its chunks, or one that the status does not have.
fn is_doubtful(status: StatusCode, chunked: bool, length: Option<u64>) -> bool {
    let bodied = chunked || length.is_some_and(|length| length > 0);
    (chunked && length.is_some()) || (bodied && status == StatusCode::NO_CONTENT)
}

fn via_line(came: &[HeaderValue]) -> HeaderValue {
    let own = Bytes::from_static(VIA_11);
    let line = if came.is_empty() {
        own
    } else {
        let mut line = BytesMut::new();
        join(&mut line, came.iter(), &own);
        line.freeze()
    };
    // All of it was in header lines before.
    HeaderValue::from_maybe_shared(line).unwrap_or(HeaderValue::from_static(""))
}

fn reason(response: &Response, status: StatusCode) -> Option<ReasonPhrase> {
    let reason = response.reason.filter(|reason| Some(*reason) != status.canonical_reason())?;
    ReasonPhrase::try_from(reason.as_bytes()).ok()
}

#[cfg(test)]
mod tests;
