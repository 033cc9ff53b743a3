//! The chunked transfer coding (RFC 9112, 7.1), read strictly: what two readers could take in two
//! ways is an error. Extensions are dropped, as the RFC has it.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Bytes of a chunk's first line at most, its extensions included.
const SIZE_LINE: usize = 1024;
/// Bytes of all trailers together at most.
const TRAILERS: usize = 8 * 1024;
/// Trailers at most.
const TRAILER_FIELDS: usize = 64;
/// What follows the last chunk's data where there are no trailers.
const USUAL_END: &[u8] = b"\r\n0\r\n\r\n";

/// Reads one body. It remembers where in a chunk it is; the bytes stay with the caller.
#[derive(Debug, Default)]
pub(crate) enum Chunked {
    /// A chunk's size comes next.
    #[default]
    Size,
    /// So many bytes of a chunk are left.
    Data(u64),
    /// The line break behind a chunk's data.
    Break,
    /// Trailers, or the empty line that ends the body.
    Trailers,
    Done,
}

/// What was read.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    Data(Bytes),
    /// The body has ended.
    End(Option<HeaderMap>),
    /// More bytes are needed first.
    Short,
}

/// The bytes are not in this coding.
#[derive(Debug, PartialEq)]
pub(crate) struct Broken;

impl Chunked {
    /// Takes the next piece off the front of `bytes`.
    pub(crate) fn take(&mut self, bytes: &mut BytesMut) -> Result<Piece, Broken> {
        loop {
            match self {
                Self::Size => match size_line(bytes)? {
                    None => return Ok(Piece::Short),
                    Some(0) => *self = Self::Trailers,
                    Some(size) => *self = Self::Data(size),
                },
                Self::Data(_) if bytes.is_empty() => return Ok(Piece::Short),
                Self::Data(left) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let data = bytes.split_to(length).freeze();
                    *left -= length as u64;
                    if *left == 0 {
                        *self = Self::Break;
                        self.take_usual_end(bytes);
                    }
                    return Ok(Piece::Data(data));
                }
                Self::Break => match bytes.first_chunk() {
                    Some(b"\r\n") => {
                        bytes.advance(2);
                        *self = Self::Size;
                    }
                    Some(_) => return Err(Broken),
                    None => return Ok(Piece::Short),
                },
                Self::Trailers => match trailers(bytes)? {
                    Some(fields) => {
                        *self = Self::Done;
                        return Ok(Piece::End(Some(fields).filter(|fields| !fields.is_empty())));
                    }
                    None => return Ok(Piece::Short),
                },
                Self::Done => return Ok(Piece::End(None)),
            }
        }
    }

    /// Whether the body has ended; may be known with the last data already.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// A body's end mostly comes with its last data, and is then told with it.
    fn take_usual_end(&mut self, bytes: &mut BytesMut) {
        if bytes.starts_with(USUAL_END) {
            bytes.advance(USUAL_END.len());
            *self = Self::Done;
        }
    }
}

/// Takes a chunk's first line; nothing if it is not there as a whole.
fn size_line(bytes: &mut BytesMut) -> Result<Option<u64>, Broken> {
    let Some(end) = bytes.iter().take(SIZE_LINE).position(|byte| *byte == b'\n') else {
        return if bytes.len() >= SIZE_LINE { Err(Broken) } else { Ok(None) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Broken)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let size = std::str::from_utf8(digits).map_err(|_| Broken)?;
    // Refuses an empty one and one that is too large.
    let size = u64::from_str_radix(size, 16).map_err(|_| Broken)?;
    let extension = rest.trim_ascii_start();
    if !(extension.is_empty() || extension.starts_with(b";")) || rest.contains(&b'\r') {
        return Err(Broken);
    }
    bytes.advance(end + 1);
    Ok(Some(size))
}

/// Takes the trailers and the empty line behind them; nothing if they are not there as a whole.
fn trailers(bytes: &mut BytesMut) -> Result<Option<HeaderMap>, Broken> {
    if bytes.starts_with(b"\r\n") {
        bytes.advance(2);
        return Ok(Some(HeaderMap::new()));
    }
    let mut fields = [httparse::EMPTY_HEADER; TRAILER_FIELDS];
    let (length, fields) = match httparse::parse_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(parsed)) => parsed,
        Ok(httparse::Status::Partial) if bytes.len() < TRAILERS => return Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Broken),
    };
    let mut lines = bytes[..length].split_inclusive(|byte| *byte == b'\n');
    if lines.any(|line| !line.ends_with(b"\r\n")) {
        return Err(Broken);
    }
    let mut map = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Broken)?;
        map.append(name, HeaderValue::from_bytes(field.value).map_err(|_| Broken)?);
    }
    bytes.advance(length);
    Ok(Some(map))
}

#[cfg(test)]
mod tests;
