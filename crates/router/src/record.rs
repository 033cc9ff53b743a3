//! What is known about one request, and the line it leaves in its app's log when it ends, however
//! it ends.
//!
//! The form is that of Heroku's router, "legacy" protocol values (`protocol=http`):
//! `at=info method=GET path="/" host=… request_id=… fwd="…" dyno=web.1 connect=1ms service=18ms
//! status=200 bytes=13 protocol=http`.

use crate::connection::{Client, Worker};
use crate::fault::{CLIENT_GONE, CLIENT_IDLE, FORCED_CLOSE, Fault};
use crate::head::request::Forwarded;
use crate::routes::{Admission, App, Dyno, Slot};
use bytes::BytesMut;
use http::{HeaderValue, Method};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of the path that are logged, so that a line stays a line.
const PATH_BYTES: usize = 8192;

/// One request from its head to the end of its response. Dropping it ends the request: counts go
/// down and the line is written. It holds copies and nothing of the head as it came, so that the
/// server can read on into the same memory.
pub(crate) struct Record {
    pub(crate) worker: Arc<Worker>,
    pub(crate) client: Arc<Client>,
    pub(crate) started: Instant,
    pub(crate) method: Method,
    /// The address without scheme and host.
    pub(crate) path: String,
    /// As the client gave it.
    pub(crate) host: HeaderValue,
    pub(crate) request_id: HeaderValue,
    pub(crate) forwarded: Forwarded,
    pub(crate) app: Option<Arc<App>>,
    pub(crate) admission: Option<Admission>,
    /// The dyno that was tried last.
    pub(crate) dyno: Option<Arc<Dyno>>,
    pub(crate) slot: Option<Slot>,
    /// When a connection to that dyno stood.
    pub(crate) connected: Option<Instant>,
    pub(crate) status: Option<u16>,
    /// Bytes of the response's body so far.
    pub(crate) bytes: u64,
    pub(crate) fault: Option<&'static Fault>,
    /// Whether the response was handed over to its end. A record that is dropped without this
    /// belongs to a client that left.
    pub(crate) complete: bool,
}

impl Record {
    /// The request will not be answered by a dyno, or not to its end.
    pub(crate) fn fail(&mut self, fault: &'static Fault) {
        self.fault = Some(fault);
        // Once the head of a response was relayed, its status stays the one that the client saw.
        if self.status.is_none() || fault == &CLIENT_GONE || fault == &CLIENT_IDLE {
            self.status = fault.status;
        }
        if fault == &FORCED_CLOSE {
            self.status = None;
        }
    }

    fn write(&self, line: &mut BytesMut, ended: Instant) {
        match self.fault {
            None => field(line, "at=", "info"),
            Some(fault) => write_fault(line, fault),
        }
        field(line, " method=", self.method.as_str());
        field(line, " path=\"", "");
        push_safe(line, &self.path.as_bytes()[..self.path.len().min(PATH_BYTES)]);
        field(line, "\" host=", "");
        push_safe(line, self.host.as_bytes());
        field(line, " request_id=", "");
        push_safe(line, self.request_id.as_bytes());
        field(line, " fwd=\"", "");
        push_safe(line, self.forwarded.chain.as_bytes());
        field(line, "\" dyno=", self.dyno.as_ref().map_or("", |dyno| &dyno.label));
        match self.connected {
            Some(connected) => {
                let connect = connected.saturating_duration_since(self.started);
                let service = ended.saturating_duration_since(connected);
                number(line, " connect=", connect.as_millis() as u64);
                number(line, "ms service=", service.as_millis() as u64);
                field(line, "ms", "");
            }
            None => field(line, " connect= service=", ""),
        }
        match self.status {
            Some(status) => number(line, " status=", u64::from(status)),
            None => field(line, " status=", ""),
        }
        match self.connected {
            Some(_) => number(line, " bytes=", self.bytes),
            None => field(line, " bytes=", ""),
        }
        field(line, " protocol=", self.forwarded.protocol);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        use std::sync::atomic::Ordering::Relaxed;
        let ended = Instant::now();
        if !self.complete && self.fault.is_none() {
            self.fail(if self.worker.shared.is_forced() {
                &FORCED_CLOSE
            } else if self.client.stalled.load(Relaxed) {
                &CLIENT_IDLE
            } else {
                &CLIENT_GONE
            });
        }
        self.worker.shared.hooks.metrics.finished(self.status, self.fault, ended - self.started);
        let Some(app) = &self.app else { return };
        self.worker.journal.write(app.route.app, Timestamp::now(), |line| self.write(line, ended));
    }
}

fn write_fault(line: &mut BytesMut, fault: &Fault) {
    if let Some(socket) = fault.socket {
        field(line, "sock=", socket);
        field(line, " ", "");
    }
    field(line, "at=", fault.level);
    field(line, " code=", fault.code);
    field(line, " desc=\"", fault.description);
    if let Some(cause) = fault.cause {
        field(line, "\" cause=\"", cause);
    }
    field(line, "\"", "");
}

fn field(line: &mut BytesMut, name: &str, value: &str) {
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(value.as_bytes());
}

fn number(line: &mut BytesMut, name: &str, value: u64) {
    field(line, name, itoa::Buffer::new().format(value));
}

/// Adds text of a client's so that it can neither end a quoted value nor the line.
fn push_safe(line: &mut BytesMut, text: &[u8]) {
    let is_harmless = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"';
    // All of it is looked at, for that is quicker than to stop early.
    if text.iter().fold(true, |all, byte| all & is_harmless(*byte)) {
        line.extend_from_slice(text);
        return;
    }
    for &byte in text {
        if is_harmless(byte) {
            line.extend_from_slice(&[byte]);
        } else {
            let [high, low] = [byte >> 4, byte & 15].map(|digit| b"0123456789ABCDEF"[usize::from(digit)]);
            line.extend_from_slice(&[b'%', high, low]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_forge_a_field_or_a_line() {
        for (given, expected) in [
            ("/plain?a=b", "/plain?a=b"),
            ("/\" at=info", "/%22 at=info"),
            ("/\nline", "/%0Aline"),
            ("/é", "/%C3%A9"),
        ] {
            let mut line = BytesMut::new();
            push_safe(&mut line, given.as_bytes());
            assert_eq!(line, expected.as_bytes());
        }
    }
}
