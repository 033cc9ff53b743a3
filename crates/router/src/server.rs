//! Sockets, threads, start and end.

use crate::Hooks;
use crate::config::Config;
use crate::connection::Worker;
use crate::journal::Journal;
use crate::pool::Pool;
use crate::routes::Routes;
use http::HeaderValue;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::task::TaskTracker;

/// Connections that the kernel keeps until a thread accepts them.
const BACKLOG: i32 = 4096;
/// Rest after accepting failed for want of files or memory.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How often unused connections to dynos are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Why the router cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there, or the address is not this machine's.
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    /// There is nowhere to listen.
    #[error("the router has no address to listen on")]
    NoAddress,
}

/// A router whose sockets are bound; it accepts nothing yet.
pub struct Bound {
    config: Config,
    addresses: Vec<SocketAddr>,
    /// For each thread, one socket for each address.
    sockets: Vec<Vec<TcpListener>>,
}

/// What all threads share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) routes: Routes,
    pub(crate) hooks: Hooks,
    pub(crate) connections: AtomicUsize,
    draining: watch::Sender<bool>,
    forced: watch::Sender<bool>,
}

impl Shared {
    /// Becomes true when nothing new is accepted any more.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Becomes true when what is still open is cut.
    pub(crate) fn forced(&self) -> watch::Receiver<bool> {
        self.forced.subscribe()
    }

    pub(crate) fn is_forced(&self) -> bool {
        *self.forced.borrow()
    }
}

impl Config {
    /// Binds every address, once for each thread.
    pub fn bind(self) -> Result<Bound, BindError> {
        if self.listen.is_empty() {
            return Err(BindError::NoAddress);
        }
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = if self.threads == 0 { cores } else { self.threads };
        let mut addresses = Vec::new();
        let mut sockets: Vec<Vec<TcpListener>> = (0..threads).map(|_| Vec::new()).collect();
        for &wanted in &self.listen {
            let failed = |source| BindError::Listen { address: wanted, source };
            if wanted.port() != 0 {
                // Alone first: sharing the port is for our own threads, not for a second server.
                listener(wanted, false).map_err(failed)?;
            }
            let mut address = wanted;
            for thread in &mut sockets {
                let socket = listener(address, true).map_err(failed)?;
                address = socket.local_addr().map_err(failed)?;
                thread.push(socket);
            }
            addresses.push(address);
        }
        Ok(Bound { config: self, addresses, sockets })
    }
}

impl Bound {
    /// Where it listens, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `shutdown` resolves, then accepts nothing more, lets open requests end, and
    /// cuts what is left after [`crate::Timeouts::shutdown`].
    pub async fn run(
        self,
        routes: Routes,
        hooks: Hooks,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let shared = Arc::new(Shared {
            config: self.config,
            routes,
            hooks,
            connections: AtomicUsize::new(0),
            draining: watch::Sender::new(false),
            forced: watch::Sender::new(false),
        });
        let mut ends = Vec::new();
        for (number, sockets) in self.sockets.into_iter().enumerate() {
            ends.push(start_thread(number, sockets, shared.clone())?);
        }
        shutdown.await;
        shared.draining.send_replace(true);
        let grace = shared.config.timeouts.shutdown;
        let all = async {
            for end in &mut ends {
                // An error means that the thread is gone, which is what is waited for.
                let _ = end.await;
            }
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            shared.forced.send_replace(true);
            for end in ends.iter_mut().filter(|end| !end.is_terminated()) {
                let _ = end.await;
            }
        }
        Ok(())
    }
}

/// Starts one thread; the receiver resolves when it has ended.
fn start_thread(
    number: usize,
    sockets: Vec<TcpListener>,
    shared: Arc<Shared>,
) -> io::Result<oneshot::Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ended, end) = oneshot::channel();
    thread::Builder::new().name(format!("router-{number}")).spawn(move || {
        if let Err(error) = runtime.block_on(run_worker(sockets, shared)) {
            tracing::error!(%error, thread = number, "router thread ended");
        }
        let _ = ended.send(());
    })?;
    Ok(end)
}

async fn run_worker(sockets: Vec<TcpListener>, shared: Arc<Shared>) -> io::Result<()> {
    let pool = Pool::new(&shared.config.limits, shared.config.timeouts.dyno_idle);
    let journal = Journal::new(shared.hooks.log.clone());
    let worker = Arc::new(Worker { shared, pool, journal, tasks: TaskTracker::new() });
    let mut accepting = Vec::new();
    for socket in sockets {
        let listener = tokio::net::TcpListener::from_std(socket)?;
        accepting.push(tokio::spawn(accept(worker.clone(), listener)));
    }
    let sweeping = tokio::spawn(sweep(worker.clone()));
    let writer = worker.clone();
    let writing = tokio::spawn(async move { writer.journal.run().await });
    for task in accepting {
        let _ = task.await;
    }
    worker.tasks.close();
    worker.tasks.wait().await;
    sweeping.abort();
    writing.abort();
    worker.journal.hand_over();
    Ok(())
}

/// Accepts until the router drains.
async fn accept(worker: Arc<Worker>, listener: tokio::net::TcpListener) {
    let listened_on = listener.local_addr().map_or(0, |address| address.port());
    let port = HeaderValue::from(worker.shared.config.forwarded_port.unwrap_or(listened_on));
    let mut draining = worker.shared.draining();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = draining.wait_for(|draining| *draining) => return,
        };
        match accepted {
            Ok((stream, peer)) => worker.accept(stream, peer, port.clone()),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Looks through the unused connections now and then, and after each new table.
async fn sweep(worker: Arc<Worker>) {
    let mut published = worker.shared.routes.published();
    loop {
        // A timeout is as good a reason as a new table; an end cannot come, the routes are ours.
        let _ = tokio::time::timeout(SWEEP_EVERY, published.changed()).await;
        worker.pool.sweep();
    }
}

fn listener(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket: OwnedFd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, shared)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    if shared {
        rustix::net::listen(&socket, BACKLOG)?;
    }
    Ok(TcpListener::from(socket))
}
