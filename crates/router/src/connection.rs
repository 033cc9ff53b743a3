//! A client's connection: served until the client, a limit or the end of the router closes it.

use crate::alarm::Alarm;
use crate::client_io::ClientIo;
use crate::config::Config;
use crate::handle::handle;
use crate::journal::Journal;
use crate::pool::Pool;
use crate::server::Shared;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

/// One thread's part of the router.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pool: Pool,
    pub(crate) journal: Journal,
    /// Connections and tunnels that are open.
    pub(crate) tasks: TaskTracker,
}

/// Where requests come from.
pub(crate) struct Peer {
    /// The address without port, as it goes into `X-Forwarded-For`.
    pub(crate) address: HeaderValue,
    /// The port that they come in by.
    pub(crate) port: HeaderValue,
    /// It is a proxy of the operator's, which knows better how requests came.
    pub(crate) trusted: bool,
}

/// Who is connected.
pub(crate) struct Client {
    pub(crate) peer: Peer,
    /// There were too many connections when this one came.
    pub(crate) over_limit: bool,
    /// The client stopped reading.
    pub(crate) stalled: AtomicBool,
    pub(crate) alarm: Alarm,
    /// Its place in the count, kept also by a tunnel that outlives the connection's HTTP.
    _place: Place,
}

impl Worker {
    /// Takes a fresh connection and serves it in a task of its own. One that is too many even to be
    /// told so is closed: what it holds is wanted for others.
    pub(crate) fn accept(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, port: HeaderValue) {
        let before = self.shared.connections.fetch_add(1, Ordering::Relaxed);
        self.shared.hooks.metrics.connections.inc();
        let place = Place(self.shared.clone());
        let Config { limits, trusted_proxies, .. } = &self.shared.config;
        if before >= limits.connections.saturating_add(limits.refusals) {
            return;
        }
        let address = peer.ip().to_canonical();
        let trusted = trusted_proxies.iter().any(|network| network.contains(&address));
        let address = HeaderValue::from_str(&address.to_string());
        let address = address.unwrap_or(HeaderValue::from_static("unknown"));
        let client = Client {
            peer: Peer { address, port, trusted },
            over_limit: before >= limits.connections,
            stalled: AtomicBool::new(false),
            alarm: Alarm::default(),
            _place: place,
        };
        let worker = self.clone();
        self.tasks.spawn(async move {
            let _ = stream.set_nodelay(true);
            serve(worker, stream, Arc::new(client)).await;
        });
    }
}

/// One connection in the count, until dropped.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
        self.0.hooks.metrics.connections.dec();
    }
}

async fn serve(worker: Arc<Worker>, stream: TcpStream, client: Arc<Client>) {
    let shared = worker.shared.clone();
    let timeouts = &shared.config.timeouts;
    let io = ClientIo::new(TokioIo::new(stream), timeouts.idle, client.clone());
    let alarm = client.alarm.clone();
    let service = service_fn(move |request: Request<Incoming>| handle(&worker, &client, request));
    let connection = http1::Builder::new()
        .timer(alarm)
        .header_read_timeout(timeouts.client_idle)
        .max_buf_size(shared.config.limits.request_head.max(8192))
        .max_header_size(shared.config.limits.request_head)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::pin!(connection);
    let mut draining = shared.draining();
    let mut forced = shared.forced();
    tokio::select! {
        biased;
        // What ended a connection is in the record of its last request, if there was one.
        _ = connection.as_mut() => return,
        _ = draining.wait_for(|draining| *draining) => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        biased;
        _ = connection.as_mut() => {}
        _ = forced.wait_for(|forced| *forced) => {}
    }
}
