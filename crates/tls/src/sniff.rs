//! A TCP listener that tells TLS from plain HTTP by a connection's first byte.
//!
//! Git insists on `https://` while the official CLI is happiest with `http://localhost`; both use
//! the same host and port. A TLS record that opens a handshake starts with 0x16 (RFC 8446, 5.1),
//! which no HTTP method does.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// First byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;
/// A client may open a connection this long before it says anything: some connect ahead of need.
const FIRST_BYTE: Duration = Duration::from_mins(1);
/// A client may take this long for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Rest after accepting failed for want of files or memory.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A bound listener. Dropping it stops accepting.
pub struct SniffListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(Stream, Peer, Place)>,
    accepting: JoinHandle<()>,
}

/// Who is at the other end, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    pub tls: bool,
}

/// A connection's place among those that may be open; free for another when it is dropped.
pub type Place = OwnedSemaphorePermit;

/// A connection after the decision, without or with TLS.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl SniffListener {
    /// Takes a bound listener; must be called within a tokio runtime. No more than `connections` are
    /// open at a time, those included that have not said yet what they are; further ones wait in the
    /// kernel's queue.
    pub fn new(
        listener: TcpListener,
        config: Arc<rustls::ServerConfig>,
        connections: usize,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(64);
        let places = Arc::new(Semaphore::new(connections));
        let accepting = tokio::spawn(accept_all(listener, TlsAcceptor::from(config), places, sender));
        Ok(Self { address, ready, accepting })
    }

    /// Where it listens.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection that is ready to be served, and its place, to be kept as long as it is
    /// open. A slow handshake delays nobody else.
    pub async fn accept(&mut self) -> (Stream, Peer, Place) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The accepting task ends only with this listener, or by a panic.
            None => std::future::pending().await,
        }
    }
}

impl Drop for SniffListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_all(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    places: Arc<Semaphore>,
    sender: mpsc::Sender<(Stream, Peer, Place)>,
) {
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            match decide(stream, acceptor).await {
                Ok(stream) => {
                    let tls = matches!(stream, Stream::Tls(_));
                    // Fails only when the listener is gone; the connection then closes too.
                    let _ = sender.send((stream, Peer { address, tls }, place)).await;
                }
                Err(error) => tracing::debug!(%address, %error, "connection ended before it was decided"),
            }
        });
    }
}

async fn decide(stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<Stream> {
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    let count = tokio::time::timeout(FIRST_BYTE, stream.peek(&mut first)).await??;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if first[0] != TLS_HANDSHAKE {
        return Ok(Stream::Plain(stream));
    }
    let stream = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await??;
    Ok(Stream::Tls(Box::new(stream)))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
