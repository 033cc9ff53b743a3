//! A request on its way to a dyno: its head as bytes, then its body as it comes from the client.

use crate::config::Timeouts;
use crate::fault::{BAD_CHUNK, CLIENT_GONE, CLIENT_IDLE, Fault, REQUEST_TIMEOUT};
use crate::head::request::is_chunked;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST,
    HeaderMap, HeaderName, MAX_FORWARDS, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING,
};
use hyper::body::{Body, Incoming};
use std::error::Error;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::AsyncWrite;

/// The request. What goes out is held until it has gone, so that a request of which nothing went
/// can be sent elsewhere.
pub(crate) struct Outgoing {
    /// The head; later each chunk's first line.
    before: Vec<u8>,
    piece: Bytes,
    after: &'static [u8],
    /// Bytes of these three that went.
    sent: usize,
    /// Whether any byte went over the connection in use.
    pub(crate) is_touched: bool,
    /// Whether there is more than a head.
    pub(crate) has_body: bool,
    /// What the client has not sent yet.
    body: Option<Incoming>,
    chunked: bool,
    /// Trailers that the client announced.
    trailers: Vec<HeaderName>,
    /// Empty; memory for the headers of the answer.
    pub(crate) spare: HeaderMap,
    stage: Stage,
    /// When something went last.
    moved: Instant,
}

/// Who is to move next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Dyno,
    Client,
    /// All of it has gone.
    Finished,
    /// The dyno takes no more.
    Refused,
}

/// Why it goes no further.
pub(crate) enum SendError {
    /// The client broke off, or broke the rules of chunked coding.
    Client(&'static Fault),
    /// The dyno takes no more.
    Dyno,
}

impl Outgoing {
    /// `head` as bytes, made of one with these headers; `now` begins the wait for an answer.
    pub(crate) fn new(head: Vec<u8>, mut headers: HeaderMap, body: Incoming, now: Instant) -> Self {
        let chunked = is_chunked(&headers);
        let trailers = if chunked { announced(&headers) } else { Vec::new() };
        headers.clear();
        let body = Some(body).filter(|body| !body.is_end_stream());
        Self {
            before: head,
            piece: Bytes::new(),
            after: b"",
            sent: 0,
            is_touched: false,
            has_body: body.is_some(),
            body,
            chunked,
            trailers,
            spare: headers,
            stage: Stage::Dyno,
            moved: now,
        }
    }

    /// All has gone, or the dyno takes no more.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Finished | Stage::Refused)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.stage == Stage::Finished
    }

    /// Begins, or begins anew for another connection. Only before anything went, or without a body.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.sent = 0;
        self.is_touched = false;
        self.stage = Stage::Dyno;
        self.moved = now;
    }

    /// When patience ends as things stand, and with what.
    pub(crate) fn deadline(&self, timeouts: &Timeouts) -> (Instant, &'static Fault) {
        match self.stage {
            Stage::Client => (self.moved + timeouts.idle, &CLIENT_IDLE),
            Stage::Dyno => (self.moved + timeouts.idle, &REQUEST_TIMEOUT),
            Stage::Finished | Stage::Refused => (self.moved + timeouts.first_byte, &REQUEST_TIMEOUT),
        }
    }

    /// Sends until all has gone. Gives `Pending` while the client or the dyno is to move.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), SendError>> {
        while !self.is_over() {
            ready!(self.poll_step(cx, socket))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Moves once: takes a piece from the client, or gives one to the dyno.
    pub(crate) fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), SendError>> {
        if !self.is_touched && self.piece.is_empty() && self.body.is_some() {
            // What has come already goes together with the head.
            if let Poll::Ready(Err(fault)) = self.poll_piece(cx) {
                return Poll::Ready(Err(SendError::Client(fault)));
            }
            self.stage = Stage::Dyno;
        }
        if self.is_pending() {
            ready!(self.poll_write(cx, socket))?;
        } else {
            self.stage = Stage::Client;
            ready!(self.poll_piece(cx)).map_err(SendError::Client)?;
            self.stage = Stage::Dyno;
        }
        if self.body.is_none() && !self.is_pending() {
            self.stage = Stage::Finished;
        }
        // A head alone goes at once: its time is when it began.
        if self.has_body {
            self.moved = Instant::now();
        }
        Poll::Ready(Ok(()))
    }

    /// Whether something is to go to the dyno.
    fn is_pending(&self) -> bool {
        self.sent < self.before.len() + self.piece.len() + self.after.len()
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), SendError>> {
        let socket = Pin::new(socket);
        let written = if self.piece.is_empty() && self.after.is_empty() {
            socket.poll_write(cx, &self.before[self.sent..])
        } else {
            let mut slices = [&*self.before, &*self.piece, self.after].map(IoSlice::new);
            let mut left = &mut slices[..];
            IoSlice::advance_slices(&mut left, self.sent);
            socket.poll_write_vectored(cx, left)
        };
        let count = ready!(written).unwrap_or(0);
        if count > 0 {
            self.sent += count;
            self.is_touched = true;
            return Poll::Ready(Ok(()));
        }
        self.stage = Stage::Refused;
        if self.is_touched {
            self.body = None;
        }
        Poll::Ready(Err(SendError::Dyno))
    }

    /// Takes the next piece of the body, behind a head that has not gone or in place of what has.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static Fault>> {
        let Some(body) = &mut self.body else { return Poll::Ready(Ok(())) };
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        if self.is_touched {
            self.before.clear();
            (self.piece, self.after, self.sent) = (Bytes::new(), b"", 0);
        }
        match frame {
            Some(Err(error)) => return Poll::Ready(Err(fault_of(&error))),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => {
                    if body.is_end_stream() {
                        self.body = None;
                    }
                    self.take_data(data);
                }
                Err(frame) => self.end(&frame.into_trailers().unwrap_or_default()),
            },
            None => self.end(&HeaderMap::new()),
        }
        Poll::Ready(Ok(()))
    }

    fn take_data(&mut self, data: Bytes) {
        if self.chunked {
            // Writing to a vector cannot fail.
            let _ = write!(self.before, "{:x}\r\n", data.len());
            self.after = if self.body.is_none() { b"\r\n0\r\n\r\n" } else { b"\r\n" };
        }
        self.piece = data;
    }

    fn end(&mut self, trailers: &HeaderMap) {
        self.body = None;
        if !self.chunked {
            return;
        }
        self.before.extend_from_slice(b"0\r\n");
        for (name, value) in trailers {
            if self.trailers.contains(name) {
                self.before.extend_from_slice(name.as_str().as_bytes());
                self.before.extend_from_slice(b": ");
                self.before.extend_from_slice(value.as_bytes());
                self.before.extend_from_slice(b"\r\n");
            }
        }
        self.before.extend_from_slice(b"\r\n");
    }
}

/// The trailers that a head announces, without those that would change what the head said.
fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    let names = headers.get_all(TRAILER).iter().filter_map(|line| line.to_str().ok());
    names
        .flat_map(|line| line.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| {
            !matches!(
                *name,
                AUTHORIZATION
                    | CACHE_CONTROL
                    | CONTENT_ENCODING
                    | CONTENT_LENGTH
                    | CONTENT_RANGE
                    | CONTENT_TYPE
                    | HOST
                    | MAX_FORWARDS
                    | SET_COOKIE
                    | TE
                    | TRAILER
                    | TRANSFER_ENCODING
            )
        })
        .collect()
}

/// Tells a client that broke off from one that broke the rules of chunked coding.
fn fault_of(error: &hyper::Error) -> &'static Fault {
    let broken_coding =
        error.source().and_then(|source| source.downcast_ref::<io::Error>()).is_some_and(|source| {
            matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        });
    if broken_coding { &BAD_CHUNK } else { &CLIENT_GONE }
}
