//! The port of the API and of git: plain HTTP and TLS by a connection's first byte.

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use std::io;
use std::net::SocketAddr;
use tls::sniff::{Peer, SniffListener, Stream};
use tokio_util::sync::CancellationToken;

/// [`SniffListener`] as axum wants it.
struct Listener(SniffListener);

/// Where a request came from. A newtype, because axum's trait and the listener's type are both
/// foreign here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From(pub(crate) Peer);

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = Peer;

    async fn accept(&mut self) -> (Stream, Peer) {
        self.0.accept().await
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { address: self.0.local_address(), tls: false })
    }
}

impl Connected<IncomingStream<'_, Listener>> for From {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Serves until told to stop, then lets open requests end.
pub(crate) async fn serve(
    listener: SniffListener,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    axum::serve(Listener(listener), router.into_make_service_with_connect_info::<From>())
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

/// Binds a listening socket, with an error that names what it was for.
pub(crate) async fn bind(what: &str, address: SocketAddr) -> anyhow::Result<tokio::net::TcpListener> {
    use anyhow::Context;
    tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} for {what}; is another server running?"))
}
