//! Heads of messages: which are refused, and what changes on the way through.
//!
//! The rules follow RFC 9110 and 9112 where Heroku's documentation is silent; they exist so that
//! router and dyno never disagree about where a message ends or for whom it is.

pub(crate) mod request;
pub(crate) mod response;

use bytes::BufMut;
use http::HeaderValue;

/// Headers that concern one connection only, whatever `Connection` says (RFC 9110, 7.6.1).
/// Transfer codings are among them: each side frames its messages anew.
const HOP_BY_HOP: [&str; 6] =
    ["connection", "keep-alive", "proxy-authenticate", "proxy-connection", "transfer-encoding", "upgrade"];
/// Headers that no peer can make the router forget: whom a message is for, from, or where it ends.
const END_TO_END: [&str; 2] = ["content-length", "host"];
const FORWARDED: &[u8] = b"x-forwarded-";

/// What the router adds to `Via`.
const VIA_11: &[u8] = b"1.1 kigo-router";
const VIA_10: &[u8] = b"1.0 kigo-router";

/// What the `Connection` lines of one message say.
#[derive(Default)]
struct Connection<'a> {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    /// Further headers that concern this connection only.
    named: Vec<&'a [u8]>,
}

impl<'a> Connection<'a> {
    fn read(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut connection = Self::default();
        for token in lines.flat_map(tokens) {
            if token.eq_ignore_ascii_case(b"close") {
                connection.close = true;
            } else if token.eq_ignore_ascii_case(b"keep-alive") {
                connection.keep_alive = true;
            } else if token.eq_ignore_ascii_case(b"upgrade") {
                connection.upgrade = true;
            } else if !is_end_to_end(token) {
                connection.named.push(token);
            }
        }
        connection
    }

    /// Whether a header, in letters of any case, concerns this connection only.
    fn owns(&self, name: &str) -> bool {
        HOP_BY_HOP.iter().any(|hop| hop.eq_ignore_ascii_case(name))
            || self.named.iter().any(|named| named.eq_ignore_ascii_case(name.as_bytes()))
    }
}

fn is_end_to_end(name: &[u8]) -> bool {
    END_TO_END.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
        || name.get(..FORWARDED.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORWARDED))
}

/// The members of a comma-separated header, without parameters and spaces.
fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',')
        .map(|token| token.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii())
        .filter(|token| !token.is_empty())
}

/// Writes the values that came, and the router's own one behind them, as one.
fn join<'a>(to: &mut impl BufMut, came: impl Iterator<Item = &'a HeaderValue>, own: &[u8]) {
    for value in came {
        to.put_slice(value.as_bytes());
        to.put_slice(b", ");
    }
    to.put_slice(own);
}
