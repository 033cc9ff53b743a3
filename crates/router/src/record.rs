//! What is known about one request, and the line it leaves in its app's log when it ends, however
//! it ends.
//!
//! The form is that of Heroku's router, "legacy" protocol values (`protocol=http`):
//! `at=info method=GET path="/" host=… request_id=… fwd="…" dyno=web.1 connect=1ms service=18ms
//! status=200 bytes=13 protocol=http`.

use crate::connection::Worker;
use crate::fault::{CLIENT_GONE, CLIENT_IDLE, FORCED_CLOSE, Fault};
use crate::routes::{Admission, App, Dyno, Slot};
use domain::{LogLine, LogSource};
use http::{HeaderValue, Method, Uri};
use jiff::Timestamp;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of the path that are logged, so that a line stays a line.
const PATH_BYTES: usize = 8192;

/// One request from its head to the end of its response. Dropping it ends the request: counts go
/// down and the line is written.
pub(crate) struct Record {
    pub(crate) worker: Arc<Worker>,
    pub(crate) started: Instant,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// As the client gave it.
    pub(crate) host: HeaderValue,
    pub(crate) request_id: HeaderValue,
    /// `X-Forwarded-For` as the dyno gets it.
    pub(crate) forwarded_for: HeaderValue,
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
    /// Set by the connection when the client stopped reading.
    pub(crate) stalled: Arc<std::sync::atomic::AtomicBool>,
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

    fn line(&self, ended: Instant) -> String {
        let mut line = String::with_capacity(320);
        // Writing to a String cannot fail.
        let _ = self.write(&mut line, ended);
        line
    }

    fn write(&self, line: &mut String, ended: Instant) -> std::fmt::Result {
        match self.fault {
            None => line.push_str("at=info"),
            Some(fault) => {
                if let Some(socket) = fault.socket {
                    write!(line, "sock={socket} ")?;
                }
                write!(line, "at={} code={} desc=\"{}\"", fault.level, fault.code, fault.description)?;
                if let Some(cause) = fault.cause {
                    write!(line, " cause=\"{cause}\"")?;
                }
            }
        }
        write!(line, " method={} path=\"", self.method)?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        push_safe(line, &path.as_bytes()[..path.len().min(PATH_BYTES)]);
        line.push_str("\" host=");
        push_safe(line, self.host.as_bytes());
        line.push_str(" request_id=");
        push_safe(line, self.request_id.as_bytes());
        line.push_str(" fwd=\"");
        push_safe(line, self.forwarded_for.as_bytes());
        line.push_str("\" dyno=");
        if let Some(dyno) = &self.dyno {
            write!(line, "{}", dyno.name)?;
        }
        match self.connected {
            Some(connected) => {
                let connect = connected.saturating_duration_since(self.started).as_millis();
                let service = ended.saturating_duration_since(connected).as_millis();
                write!(line, " connect={connect}ms service={service}ms")?;
            }
            None => line.push_str(" connect= service="),
        }
        line.push_str(" status=");
        if let Some(status) = self.status {
            write!(line, "{status}")?;
        }
        line.push_str(" bytes=");
        if self.connected.is_some() {
            write!(line, "{}", self.bytes)?;
        }
        line.push_str(" protocol=http");
        Ok(())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        use std::sync::atomic::Ordering::Relaxed;
        let ended = Instant::now();
        if !self.complete && self.fault.is_none() {
            self.fail(if self.worker.shared.is_forced() {
                &FORCED_CLOSE
            } else if self.stalled.load(Relaxed) {
                &CLIENT_IDLE
            } else {
                &CLIENT_GONE
            });
        }
        self.worker.shared.hooks.metrics.finished(self.status, self.fault, ended - self.started);
        let Some(app) = &self.app else { return };
        let line = LogLine {
            time: Timestamp::now(),
            source: LogSource::Heroku,
            process: "router".into(),
            message: self.line(ended).into(),
        };
        self.worker.journal.write(app.route.app, line);
    }
}

/// Adds text of a client's so that it can neither end a quoted value nor the line.
fn push_safe(line: &mut String, bytes: &[u8]) {
    let harmless = |byte: &u8| (0x20..0x7f).contains(byte) && *byte != b'"';
    if bytes.iter().all(harmless) {
        // All of it is ASCII.
        line.push_str(std::str::from_utf8(bytes).unwrap_or_default());
        return;
    }
    for byte in bytes {
        if harmless(byte) {
            line.push(char::from(*byte));
        } else {
            let _ = write!(line, "%{byte:02X}");
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
            let mut line = String::new();
            push_safe(&mut line, given.as_bytes());
            assert_eq!(line, expected);
        }
    }
}
