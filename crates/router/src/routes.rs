//! The table in use, and what happens on each of its dynos at this moment.
//!
//! A table is published as a whole. [`Routes::publish`] returns when every later choice of a dyno
//! follows the new table; with [`Routes::drained`] it gives the order that a deploy needs: publish
//! a table without the old dyno, wait until it is drained, stop it.

use arc_swap::ArcSwap;
use domain::route::{AppRoute, Backend, Backends, RouteTable};
use domain::{AppId, DynoId};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// The routes, shared by the router and by whoever publishes them. Clones are the same routes.
#[derive(Clone)]
pub struct Routes(Arc<Inner>);

struct Inner {
    table: ArcSwap<Table>,
    registry: Mutex<Registry>,
    /// Counts tables, for those who clean up after each.
    published: watch::Sender<u64>,
    /// Times are kept as milliseconds since then.
    epoch: Instant,
}

#[derive(Default)]
struct Registry {
    apps: HashMap<AppId, Arc<AppState>>,
    dynos: HashMap<DynoId, Arc<Dyno>>,
}

/// A published table, ready for use.
#[derive(Default)]
struct Table {
    generation: u64,
    hosts: HashMap<String, Arc<App>>,
}

/// An app as one table has it.
pub(crate) struct App {
    pub(crate) route: Arc<AppRoute>,
    pub(crate) state: Arc<AppState>,
    /// Dynos that listen, in the table's order; empty unless the route is ready.
    pub(crate) dynos: Vec<Arc<Dyno>>,
}

/// What outlives an app's place in one table.
#[derive(Default)]
pub(crate) struct AppState {
    in_flight: AtomicUsize,
    /// The app's route differs from what it was.
    changed: Notify,
    /// Milliseconds since the epoch.
    woken: AtomicU64,
}

/// A dyno that is or was in the table.
pub(crate) struct Dyno {
    pub(crate) id: DynoId,
    /// Its name, as it stands in log lines.
    pub(crate) label: String,
    pub(crate) address: SocketAddr,
    routable: AtomicBool,
    requests: AtomicUsize,
    tunnels: AtomicUsize,
    /// Milliseconds since the epoch; 0 for never.
    quarantined_until: AtomicU64,
    drained: Notify,
}

/// What is open on one dyno.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Requests without a complete response.
    pub requests: usize,
    /// WebSockets and other upgraded connections.
    pub tunnels: usize,
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl Routes {
    /// Routes without any app.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            table: ArcSwap::default(),
            registry: Mutex::default(),
            published: watch::Sender::new(0),
            epoch: Instant::now(),
        }))
    }

    /// Puts a table in force; says whether it did. One that is older than the table in force is
    /// ignored. Afterwards no request is newly given to a dyno that is not in this table.
    pub fn publish(&self, table: &RouteTable) -> bool {
        let mut registry = self.registry();
        let old = self.0.table.load_full();
        if table.generation < old.generation {
            return false;
        }
        let new = Arc::new(registry.compile(table));
        self.0.table.store(new.clone());

        let routed: HashSet<DynoId> =
            new.hosts.values().flat_map(|app| app.dynos.iter().map(|dyno| dyno.id)).collect();
        for dyno in registry.dynos.values() {
            if !routed.contains(&dyno.id) {
                dyno.routable.store(false, Ordering::SeqCst);
                dyno.drained.notify_waiters();
            }
        }
        registry.dynos.retain(|id, dyno| routed.contains(id) || dyno.in_flight() != InFlight::default());
        notify_changes(&old, &new);
        let apps: HashSet<AppId> = new.hosts.values().map(|app| app.route.app).collect();
        registry.apps.retain(|id, state| apps.contains(id) || Arc::strong_count(state) > 1);
        drop(registry);
        self.0.published.send_modify(|count| *count += 1);
        true
    }

    /// What is open on `dyno` now. Nothing for a dyno that was never routed.
    pub fn in_flight(&self, dyno: DynoId) -> InFlight {
        self.registry().dynos.get(&dyno).map(|dyno| dyno.in_flight()).unwrap_or_default()
    }

    /// Waits until `dyno` is in no table and has no request in flight. Tunnels do not count: a
    /// WebSocket may last for days and ends when its dyno is told to stop.
    pub async fn drained(&self, dyno: DynoId) {
        let Some(dyno) = self.registry().dynos.get(&dyno).cloned() else { return };
        loop {
            let notified = dyno.drained.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if !dyno.is_routable() && dyno.requests.load(Ordering::SeqCst) == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Generation of the table in force.
    pub fn generation(&self) -> u64 {
        self.0.table.load().generation
    }

    /// The app at a lower-case host name.
    pub(crate) fn find(&self, host: &str) -> Option<Arc<App>> {
        self.0.table.load().hosts.get(host).cloned()
    }

    /// Whether there was ever a table. Before the first one no host is known to be unknown.
    pub(crate) fn has_table(&self) -> bool {
        *self.0.published.borrow() > 0
    }

    /// Changes with each table.
    pub(crate) fn published(&self) -> watch::Receiver<u64> {
        self.0.published.subscribe()
    }

    /// Milliseconds since these routes were made, never 0.
    pub(crate) fn now(&self) -> u64 {
        self.0.epoch.elapsed().as_millis() as u64 + 1
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    fn compile(&mut self, table: &RouteTable) -> Table {
        let mut seen: HashMap<*const AppRoute, Arc<App>> = HashMap::new();
        let hosts = table.hosts.iter().map(|(host, route)| {
            let app = seen.entry(Arc::as_ptr(route)).or_insert_with(|| Arc::new(self.app(route)));
            (host.clone(), app.clone())
        });
        let hosts = hosts.collect();
        Table { generation: table.generation, hosts }
    }

    fn app(&mut self, route: &Arc<AppRoute>) -> App {
        let state = self.apps.entry(route.app).or_default().clone();
        let dynos = match &route.backends {
            Backends::Ready(backends) => backends.iter().map(|backend| self.dyno(backend)).collect(),
            Backends::Blank | Backends::NoWeb | Backends::Crashed | Backends::Starting => Vec::new(),
        };
        App { route: route.clone(), state, dynos }
    }

    fn dyno(&mut self, backend: &Backend) -> Arc<Dyno> {
        let fresh = || Arc::new(Dyno::new(backend));
        let dyno = self.dynos.entry(backend.dyno).or_insert_with(fresh);
        if dyno.address != backend.address {
            *dyno = fresh();
        }
        dyno.routable.store(true, Ordering::SeqCst);
        dyno.clone()
    }
}

/// Releases the requests that are held for an app whose route changed.
fn notify_changes(old: &Table, new: &Table) {
    for (host, app) in &old.hosts {
        if new.hosts.get(host).is_none_or(|now| now.route != app.route) {
            app.state.changed.notify_waiters();
        }
    }
    for (host, app) in &new.hosts {
        if !old.hosts.contains_key(host) {
            app.state.changed.notify_waiters();
        }
    }
}

impl App {
    /// Counts a request of this app in, unless `limit` are open already.
    pub(crate) fn admit(&self, limit: usize) -> Option<Admission> {
        let before = self.state.in_flight.fetch_add(1, Ordering::Relaxed);
        let admission = Admission(self.state.clone());
        (before < limit).then_some(admission)
    }
}

impl AppState {
    /// Resolves at the next change of the app's route. Must be made before the table is read.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Whether the wake hook is due: true once in `period` for all callers together.
    pub(crate) fn claim_wake(&self, now: u64, period: Duration) -> bool {
        let last = self.woken.load(Ordering::Relaxed);
        let due = last == 0 || now.saturating_sub(last) >= period.as_millis() as u64;
        due && self.woken.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Dyno {
    fn new(backend: &Backend) -> Self {
        Self {
            id: backend.dyno,
            label: backend.name.to_string(),
            address: backend.address,
            routable: AtomicBool::new(true),
            requests: AtomicUsize::new(0),
            tunnels: AtomicUsize::new(0),
            quarantined_until: AtomicU64::new(0),
            drained: Notify::new(),
        }
    }

    /// Whether the table in force has this dyno.
    pub(crate) fn is_routable(&self) -> bool {
        self.routable.load(Ordering::SeqCst)
    }

    fn in_flight(&self) -> InFlight {
        InFlight {
            requests: self.requests.load(Ordering::SeqCst),
            tunnels: self.tunnels.load(Ordering::SeqCst),
        }
    }

    /// Takes a place on this dyno, unless it has left the table meanwhile.
    ///
    /// The count goes up before the table is looked at, and a publisher looks at the count after
    /// the table has changed: one of the two sees the other.
    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Slot> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let slot = Slot { dyno: self.clone(), tunnel: false };
        self.is_routable().then_some(slot)
    }

    /// Leaves the dyno alone until `until`.
    pub(crate) fn quarantine(&self, until: u64) {
        self.quarantined_until.store(until, Ordering::Relaxed);
    }

    /// When the quarantine ends, if there is one now. Looks at the clock only if there ever was one.
    pub(crate) fn quarantined(&self, routes: &Routes) -> Option<u64> {
        let until = self.quarantined_until.load(Ordering::Relaxed);
        (until > 0 && until > routes.now()).then_some(until)
    }
}

/// One request in its app's count, until dropped.
pub(crate) struct Admission(Arc<AppState>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One request or tunnel in its dyno's count, until dropped.
pub(crate) struct Slot {
    dyno: Arc<Dyno>,
    tunnel: bool,
}

impl Slot {
    pub(crate) fn dyno(&self) -> &Arc<Dyno> {
        &self.dyno
    }

    /// The request has become a tunnel.
    pub(crate) fn into_tunnel(mut self) -> Self {
        self.dyno.tunnels.fetch_add(1, Ordering::SeqCst);
        self.tunnel = true;
        self.dyno.end_request();
        self
    }
}

impl Dyno {
    fn end_request(&self) {
        if self.requests.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.drained.notify_waiters();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.tunnel {
            self.dyno.tunnels.fetch_sub(1, Ordering::SeqCst);
        } else {
            self.dyno.end_request();
        }
    }
}

#[cfg(test)]
mod tests;
