//! A client's socket that gives up on a client which takes nothing for too long.
//!
//! A response's body is not polled while the client does not read, so only the socket can notice.

use crate::connection::Client;
use hyper::rt::{Read, ReadBufCursor, Write};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// A message of so many bytes at most is copied into one piece: the kernel takes one piece more
/// cheaply than two, by more than the copying costs.
const SMALL: usize = 2048;

/// The socket. [`Client::stalled`] is set when the client's time is over, just before the error.
pub(crate) struct ClientIo<S> {
    inner: S,
    idle: Duration,
    client: Arc<Client>,
    /// Since when a write waits.
    waiting: Option<Instant>,
}

impl<S> ClientIo<S> {
    pub(crate) fn new(inner: S, idle: Duration, client: Arc<Client>) -> Self {
        Self { inner, idle, client, waiting: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.waiting = None;
            return result;
        }
        let waiting = *self.waiting.get_or_insert_with(Instant::now);
        ready!(self.client.alarm.poll(cx, waiting + self.idle));
        self.client.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: Read + Unpin> Read for ClientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: Write + Unpin> Write for ClientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if length > SMALL {
            let result = Pin::new(&mut self.inner).poll_write_vectored(cx, pieces);
            return self.watch(cx, result);
        }
        let mut whole = [0; SMALL];
        let mut end = 0;
        for piece in pieces {
            whole[end..end + piece.len()].copy_from_slice(piece);
            end += piece.len();
        }
        self.poll_write(cx, &whole[..end])
    }
}
