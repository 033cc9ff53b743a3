//! Reading a log session: server-sent events (WHATWG HTML, 9.2), resumed where they broke off,
//! and plain output streams.

use crate::{Client, ClientError};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, RANGE};
use std::time::Duration;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The server says something, if only a comment, more often than this.
const SILENCE: Duration = Duration::from_mins(3);
/// Rest before a stream that broke off is asked for again.
const REST: Duration = Duration::from_secs(1);
/// A stream that breaks off so often in a row without a line between is given up.
const ATTEMPTS: u32 = 10;
/// Bytes of one event at most.
const EVENT: usize = 1 << 20;

/// Lines of a log, in order. Made by [`Client::log_lines`].
pub struct LogLines {
    client: Client,
    url: String,
    follow: bool,
    body: Option<Body>,
    parser: Parser,
    failures: u32,
    done: bool,
}

type Body = std::pin::Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// Why an attempt to read ended.
enum Broken {
    /// The stream is over by the server's own will.
    Ended,
    /// It may come back.
    Lost(String),
}

impl Client {
    /// Opens the stream at a session's `logplex_url`. With `follow` a stream that ends is asked
    /// for again, from the line after the last one.
    pub fn log_lines(&self, url: &str, follow: bool) -> LogLines {
        LogLines {
            client: self.clone(),
            url: url.into(),
            follow,
            body: None,
            parser: Parser::default(),
            failures: 0,
            done: false,
        }
    }

    /// Reads an output stream of a build or release from this byte on, following it to its end.
    /// `None` while there is no output yet.
    pub async fn output(
        &self,
        url: &str,
        from: u64,
    ) -> Result<Option<impl Stream<Item = Result<Bytes, ClientError>> + use<>>, ClientError> {
        let mut headers = HeaderMap::new();
        if let Some(range) =
            (from > 0).then(|| HeaderValue::try_from(format!("bytes={from}-")).ok()).flatten()
        {
            headers.insert(RANGE, range);
        }
        let response = self.follow(url, headers).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                Ok(Some(response.bytes_stream().map(|piece| {
                    piece.map_err(|source| ClientError::Transport { url: String::new(), source })
                })))
            }
            status => Err(ClientError::Foreign { url: "the output stream".into(), status: status.as_u16() }),
        }
    }
}

impl LogLines {
    /// The next line; `None` at the end, which a followed log does not have.
    pub async fn next(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            if let Some(line) = self.parser.pop() {
                self.failures = 0;
                return Ok(Some(line));
            }
            if self.done {
                return Ok(None);
            }
            match self.advance().await? {
                Ok(()) => {}
                Err(Broken::Ended) if !self.follow => self.done = true,
                Err(Broken::Lost(reason)) if !self.follow || self.failures >= ATTEMPTS => {
                    return Err(ClientError::LogStream(reason));
                }
                Err(broken) => {
                    if matches!(broken, Broken::Lost(_)) {
                        self.failures += 1;
                    }
                    self.body = None;
                    self.parser.drop_partial();
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Takes another piece, opening the stream if need be.
    async fn advance(&mut self) -> Result<Result<(), Broken>, ClientError> {
        let body = match &mut self.body {
            Some(body) => body,
            None => match self.open().await? {
                Ok(body) => self.body.insert(body),
                Err(broken) => return Ok(Err(broken)),
            },
        };
        Ok(match tokio::time::timeout(SILENCE, body.next()).await {
            Err(_) => Err(Broken::Lost("it fell silent".into())),
            Ok(None) => Err(Broken::Ended),
            Ok(Some(Err(error))) => Err(Broken::Lost(error.without_url().to_string())),
            Ok(Some(Ok(piece))) => {
                self.parser.push(&piece);
                Ok(())
            }
        })
    }

    async fn open(&self) -> Result<Result<Body, Broken>, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = self.parser.last_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(LAST_EVENT_ID, id);
        }
        let response = match self.client.follow(&self.url, headers).await {
            Ok(response) => response,
            Err(error) if self.parser.last_id.is_some() => {
                return Ok(Err(Broken::Lost(error.to_string())));
            }
            Err(error) => return Err(error),
        };
        match response.status() {
            StatusCode::OK => Ok(Ok(Box::pin(response.bytes_stream()))),
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE => {
                Err(ClientError::LogStream("the session timed out. Please try again.".into()))
            }
            status if status.is_server_error() => Ok(Err(Broken::Lost(format!("status {status}")))),
            status => Err(ClientError::LogStream(format!("status {status}"))),
        }
    }
}

/// Takes events apart.
#[derive(Default)]
struct Parser {
    buffer: Vec<u8>,
    data: Option<String>,
    id: Option<String>,
    /// Lines of the last complete event that were not taken yet.
    ready: std::collections::VecDeque<String>,
    /// The id of the last complete event.
    last_id: Option<String>,
}

impl Parser {
    fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
        let mut start = 0;
        while let Some(length) = self.buffer[start..].iter().position(|byte| *byte == b'\n') {
            let line = &self.buffer[start..start + length];
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
            start += length + 1;
            self.line(&line);
        }
        self.buffer.drain(..start);
        if self.buffer.len() > EVENT {
            self.buffer.clear();
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            if let Some(id) = self.id.take() {
                self.last_id = Some(id);
            }
            if let Some(data) = self.data.take() {
                self.ready.extend(data.split('\n').map(str::to_owned));
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" => self.id = Some(value.to_owned()),
            // Comments, and fields that say nothing to a reader of logs.
            _ => {}
        }
    }

    fn pop(&mut self) -> Option<String> {
        self.ready.pop_front()
    }

    /// An event that broke off comes again with the next stream.
    fn drop_partial(&mut self) {
        self.buffer.clear();
        self.data = None;
        self.id = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_apart_however_they_arrive() {
        let text = ": hello\n\nid: 1\ndata: first\n\nid: 2\r\ndata:second\r\ndata: third\r\n\r\nretry: 5\ndata: half";
        for size in 1..text.len() {
            let mut parser = Parser::default();
            for piece in text.as_bytes().chunks(size) {
                parser.push(piece);
            }
            let lines: Vec<String> = std::iter::from_fn(|| parser.pop()).collect();
            assert_eq!(lines, ["first", "second", "third"]);
            assert_eq!(parser.last_id.as_deref(), Some("2"));
        }
    }

    #[test]
    fn a_broken_event_is_forgotten() {
        let mut parser = Parser::default();
        parser.push(b"id: 1\ndata: whole\n\nid: 2\ndata: ha");
        parser.drop_partial();
        parser.push(b"id: 2\ndata: half\n\n");
        assert_eq!(parser.pop().as_deref(), Some("whole"));
        assert_eq!(parser.pop().as_deref(), Some("half"));
        assert_eq!(parser.last_id.as_deref(), Some("2"));
    }
}
