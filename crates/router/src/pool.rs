//! Connections to dynos that wait for their next request. One pool for each thread, so its lock
//! is never contended.

use crate::config::Limits;
use crate::request_body::RequestBody;
use crate::routes::Dyno;
use domain::DynoId;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// A connection to a dyno, free to take one request.
pub(crate) struct Upstream {
    pub(crate) sender: SendRequest<RequestBody>,
    /// Whether it has served a request before, so that the dyno may just be closing it.
    pub(crate) reused: bool,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DialError {
    Refused,
    TimedOut,
}

/// The unused connections of one thread, by the run of the dyno they lead to: an address may
/// belong to another app's dyno tomorrow.
pub(crate) struct Pool {
    idle: Mutex<HashMap<DynoId, Lane>>,
    keep: Duration,
    per_dyno: usize,
    response_head: usize,
}

struct Lane {
    dyno: Arc<Dyno>,
    /// The one used last is taken first, so that the rest can grow old.
    connections: Vec<(SendRequest<RequestBody>, Instant)>,
}

impl Pool {
    pub(crate) fn new(limits: &Limits, keep: Duration) -> Self {
        Self {
            idle: Mutex::default(),
            keep,
            per_dyno: limits.idle_per_dyno,
            response_head: limits.response_head.max(8192),
        }
    }

    /// A kept connection to `dyno` that was used within `age`, if there is one that works.
    pub(crate) async fn take(&self, dyno: DynoId, age: Duration) -> Option<Upstream> {
        let age = age.min(self.keep);
        loop {
            let mut sender = {
                let mut idle = self.lock();
                let lane = idle.get_mut(&dyno)?;
                let (sender, since) = lane.connections.pop()?;
                if since.elapsed() > age {
                    // All below it are older. Those are left for requests that can be repeated.
                    if age < self.keep {
                        lane.connections.push((sender, since));
                    } else {
                        lane.connections.clear();
                    }
                    return None;
                }
                sender
            };
            // Both messages of its last exchange are complete, so this waits for bookkeeping only.
            if !sender.is_closed() && sender.ready().await.is_ok() {
                return Some(Upstream { sender, reused: true });
            }
        }
    }

    /// Keeps a connection for the next request, if the dyno still takes requests.
    pub(crate) fn put(&self, dyno: &Arc<Dyno>, sender: SendRequest<RequestBody>) {
        if sender.is_closed() || !dyno.is_routable() {
            return;
        }
        let mut idle = self.lock();
        let lane =
            idle.entry(dyno.id).or_insert_with(|| Lane { dyno: dyno.clone(), connections: Vec::new() });
        if lane.connections.len() < self.per_dyno {
            lane.connections.push((sender, Instant::now()));
        }
    }

    /// Closes what is too old, and at once everything that leads to a dyno which left the table:
    /// a server that stops gracefully waits for its connections.
    pub(crate) fn sweep(&self) {
        self.lock().retain(|_, lane| {
            lane.connections.retain(|(sender, since)| !sender.is_closed() && since.elapsed() <= self.keep);
            lane.dyno.is_routable() && !lane.connections.is_empty()
        });
    }

    /// Opens a connection to `dyno`.
    pub(crate) async fn dial(&self, dyno: &Dyno, patience: Duration) -> Result<Upstream, DialError> {
        let stream = match tokio::time::timeout(patience, TcpStream::connect(dyno.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return Err(DialError::TimedOut),
            Ok(Err(_)) => return Err(DialError::Refused),
            Err(_) => return Err(DialError::TimedOut),
        };
        let _ = stream.set_nodelay(true);
        let handshake =
            http1::Builder::new().max_buf_size(self.response_head).handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(|_| DialError::Refused)?;
        tokio::spawn(async move {
            // Its error reaches whoever waits for the response.
            let _ = connection.with_upgrades().await;
        });
        Ok(Upstream { sender, reused: false })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DynoId, Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
