//! The port of the API and of git: plain HTTP and TLS by a connection's first byte.
//!
//! Anybody who reaches the port can open connections, without a token and without saying anything.
//! So their number is bounded, and each has to send a request's head in time; else strangers could
//! take the descriptors that the router and the loops need.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::time::Duration;
use tls::sniff::{Peer, SniffListener, Stream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From(pub(crate) Peer);

/// How long a client may take for a request's head. It counts from the connection's start or the
/// answer before, so it is also how long one is kept open unused.
const HEAD_TIME: Duration = Duration::from_mins(1);

/// Bytes of a request's head, and of what is read ahead for a connection.
const HEAD_BYTES: usize = 64 * 1024;

/// Serves until told to stop, then lets open requests end.
pub(crate) async fn serve(listener: SniffListener, router: Router, shutdown: CancellationToken) {
    serve_within(listener, router, shutdown, HEAD_TIME).await;
}

async fn serve_within(
    mut listener: SniffListener,
    router: Router,
    shutdown: CancellationToken,
    head: Duration,
) {
    let open = TaskTracker::new();
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (router, shutdown) = (router.clone(), shutdown.clone());
        open.spawn(async move {
            serve_connection(stream, peer, router, shutdown, head).await;
            drop(place);
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

async fn serve_connection(
    stream: Stream,
    peer: Peer,
    router: Router,
    shutdown: CancellationToken,
    head: Duration,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(From(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(address = %peer.address, %error, "connection ended");
    }
}

/// Binds a listening socket, with an error that names what it was for.
pub(crate) async fn bind(what: &str, address: SocketAddr) -> anyhow::Result<tokio::net::TcpListener> {
    use anyhow::Context;
    tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} for {what}; is another server running?"))
}

#[cfg(test)]
mod tests;
