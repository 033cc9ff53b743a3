//! A connection to a dyno: its socket, and what came over it and was not used yet.

use bytes::BytesMut;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::io::poll_read_buf;

/// Bytes that are asked for at once, at first and at most: more for a dyno that fills them.
const PIECE: usize = 8 * 1024;
const LARGE_PIECE: usize = 64 * 1024;

/// The connection. Dropping it closes it.
pub(crate) struct Link {
    socket: Socket,
    /// Read and not used.
    pub(crate) unread: BytesMut,
    piece: usize,
    /// Whether it has served a request before, so that the dyno may just be closing it.
    pub(crate) reused: bool,
}

enum Socket {
    Whole(TcpStream),
    /// The other half still sends a request's body.
    Reading(OwnedReadHalf),
    /// Between the two.
    Gone,
}

impl Link {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { socket: Socket::Whole(stream), unread: BytesMut::new(), piece: PIECE, reused: false }
    }

    /// The end that a request is written to. Nothing once it was taken.
    pub(crate) fn writer(&mut self) -> Option<&mut TcpStream> {
        match &mut self.socket {
            Socket::Whole(stream) => Some(stream),
            Socket::Reading(_) | Socket::Gone => None,
        }
    }

    /// Takes the end that a request is written to, for good.
    pub(crate) fn take_writer(&mut self) -> Option<OwnedWriteHalf> {
        match std::mem::replace(&mut self.socket, Socket::Gone) {
            Socket::Whole(stream) => {
                let (reader, writer) = stream.into_split();
                self.socket = Socket::Reading(reader);
                Some(writer)
            }
            other => {
                self.socket = other;
                None
            }
        }
    }

    /// The socket and what was read ahead, for another protocol.
    pub(crate) fn into_parts(self) -> Option<(TcpStream, BytesMut)> {
        match self.socket {
            Socket::Whole(stream) => Some((stream, self.unread)),
            Socket::Reading(_) | Socket::Gone => None,
        }
    }

    /// Reads what is there; gives the number of bytes, 0 at the end.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.unread.reserve(self.piece);
        let room = self.unread.capacity() - self.unread.len();
        let length = ready!(poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.unread))?;
        if length == room {
            self.piece = LARGE_PIECE;
        }
        Poll::Ready(Ok(length))
    }

    /// Whether it can take another request once this one is answered in full: nothing came that
    /// belongs to no request.
    pub(crate) fn is_reusable(&self) -> bool {
        matches!(self.socket, Socket::Whole(_)) && self.unread.is_empty()
    }

    /// Makes it small for a time without requests.
    pub(crate) fn rest(&mut self) {
        self.reused = true;
        if self.piece > PIECE {
            self.piece = PIECE;
            self.unread = BytesMut::new();
        }
    }

    /// Whether an unused connection is still good: the dyno neither closed it nor said anything
    /// unasked. Costs no system call while nothing has come.
    pub(crate) fn is_quiet(&self) -> bool {
        match &self.socket {
            Socket::Whole(stream) => {
                let read = stream.try_read(&mut [0]);
                read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            Socket::Reading(_) | Socket::Gone => false,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Whole(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Reading(half) => Pin::new(half).poll_read(cx, buffer),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}
