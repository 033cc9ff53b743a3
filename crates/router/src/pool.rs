//! Connections to dynos that wait for their next request. One pool for each thread, so its lock
//! is never contended.

use crate::config::Limits;
use crate::link::Link;
use crate::routes::Dyno;
use domain::DynoId;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

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
}

struct Lane {
    dyno: Arc<Dyno>,
    /// The one used last is taken first, so that the rest can grow old.
    links: Vec<(Box<Link>, Instant)>,
}

impl Pool {
    pub(crate) fn new(limits: &Limits, keep: Duration) -> Self {
        Self { idle: Mutex::default(), keep, per_dyno: limits.idle_per_dyno }
    }

    /// A kept connection to `dyno` that was used within `age`, if there is one that works.
    pub(crate) fn take(&self, dyno: DynoId, age: Duration, now: Instant) -> Option<Box<Link>> {
        let age = age.min(self.keep);
        let mut idle = self.lock();
        let links = &mut idle.get_mut(&dyno)?.links;
        while let Some((link, since)) = links.pop() {
            if now.saturating_duration_since(since) > age {
                // All below it are older. Those are left for requests that can be repeated.
                if age < self.keep {
                    links.push((link, since));
                } else {
                    links.clear();
                }
                return None;
            }
            if link.is_quiet() {
                return Some(link);
            }
        }
        None
    }

    /// Keeps a connection for the next request, if the dyno still takes requests.
    pub(crate) fn put(&self, dyno: &Arc<Dyno>, mut link: Box<Link>) {
        if !dyno.is_routable() {
            return;
        }
        let mut idle = self.lock();
        let lane = idle.entry(dyno.id).or_insert_with(|| Lane { dyno: dyno.clone(), links: Vec::new() });
        if lane.links.len() < self.per_dyno {
            link.rest();
            lane.links.push((link, Instant::now()));
        }
    }

    /// Closes what is too old or was closed at the other end, and at once everything that leads to
    /// a dyno which left the table: a server that stops gracefully waits for its connections.
    pub(crate) fn sweep(&self) {
        self.lock().retain(|_, lane| {
            lane.links.retain(|(link, since)| since.elapsed() <= self.keep && link.is_quiet());
            lane.dyno.is_routable() && !lane.links.is_empty()
        });
    }

    /// Opens a connection to `dyno`.
    pub(crate) async fn dial(dyno: &Dyno, patience: Duration) -> Result<Box<Link>, DialError> {
        let stream = match tokio::time::timeout(patience, TcpStream::connect(dyno.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return Err(DialError::TimedOut),
            Ok(Err(_)) => return Err(DialError::Refused),
            Err(_) => return Err(DialError::TimedOut),
        };
        let _ = stream.set_nodelay(true);
        Ok(Box::new(Link::new(stream)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DynoId, Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
