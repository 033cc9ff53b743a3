//! `GET /streams/logs/{token}`: an app's log as server-sent events, which is what
//! `heroku logs` reads, or as plain text to whoever does not ask for events.
//!
//! The token is signed and carries the whole question, so that a client that comes back after a
//! restart of the server goes on where it was: each event has the line's id, and `Last-Event-ID`
//! brings it back.

use crate::streams::with_heartbeat;
use crate::{Api, ApiError};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, header};
use jiff::Timestamp;
use logs::{LineId, TailLine};
use std::io;

/// Sent last to who follows the log: after so many milliseconds the reader comes back. The official
/// CLI gives up if nobody answers then, so a server that restarts gets time to do so.
const COME_BACK: &[u8] = b"retry: 10000\n\n";
/// Sent last to who does not. The official CLI does not come back, but waits for as long before it ends.
const DONE: &[u8] = b"retry: 100\n\n";
/// A comment, which readers pass over.
const BEAT: &[u8] = b":\n\n";

/// Answers with the lines that the token allows to read.
pub(crate) async fn read(
    State(api): State<Api>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let session = logs::session::verify(api.log_key(), &token, Timestamp::now())
        .map_err(|_| ApiError::not_found("log session"))?;
    ops::outputs::log(api.ops(), session.app).await?;
    let mut query = session.query();
    query.after = last_event_id(&headers);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let events = text(header::ACCEPT).contains("text/event-stream");
    let (content_type, form): (_, fn(&TailLine) -> String) = if events {
        ("text/event-stream", event)
    } else {
        ("text/plain; charset=utf-8", |line| format!("{}\n", line.line))
    };
    let lines = api.logs().tail(session.app, query).map(move |line| match line {
        Ok(line) => Ok(Bytes::from(form(&line))),
        // An error breaks the connection: a clean end would tell that this was all.
        Err(error) => Err(io::Error::other(error)),
    });
    let stop = api.shutdown().cancelled_owned();
    let body = if events {
        let last = Bytes::from_static(if session.tail { COME_BACK } else { DONE });
        let last = futures_util::stream::iter([Ok(last)]);
        Body::from_stream(with_heartbeat(lines, BEAT, api.config().heartbeat, stop).chain(last))
    } else {
        Body::from_stream(lines.take_until(stop))
    };
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// The line a client saw last.
fn last_event_id(headers: &HeaderMap) -> Option<LineId> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok().map(LineId)
}

/// One event. A carriage return ends a line there as a line feed does, so the message is cut at
/// both; the reader prints each piece as a line.
fn event(line: &TailLine) -> String {
    let text = line.line.to_string();
    let mut event = format!("id: {}\n", line.id.0);
    for piece in text.trim_end_matches(['\r', '\n']).split(['\r', '\n']) {
        event.push_str("data: ");
        event.push_str(piece);
        event.push('\n');
    }
    event.push('\n');
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::LogLine;

    #[test]
    fn events_carry_ids_and_survive_carriage_returns() {
        let time = "2012-10-11T03:47:20Z".parse().unwrap();
        for (message, data) in [
            ("hello", "data: 2012-10-11T03:47:20.000000+00:00 app[web.1]: hello\n"),
            ("hello\r", "data: 2012-10-11T03:47:20.000000+00:00 app[web.1]: hello\n"),
            ("10%\r20%", "data: 2012-10-11T03:47:20.000000+00:00 app[web.1]: 10%\ndata: 20%\n"),
            ("", "data: 2012-10-11T03:47:20.000000+00:00 app[web.1]: \n"),
        ] {
            let line = TailLine { id: LineId(7), line: LogLine::app(time, "web.1", message) };
            assert_eq!(event(&line), format!("id: 7\n{data}\n"));
        }
    }
}
