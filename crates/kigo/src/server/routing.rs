//! The router as the loops see it.

use domain::route::RouteTable;
use domain::{AppId, DynoId};

/// The router's table and counters behind the loops' seam.
pub(crate) struct Router(pub(crate) router::Routes);

impl reconcile::Routing for Router {
    fn publish(&self, table: &RouteTable) {
        self.0.publish(table);
    }

    fn in_flight(&self, dyno: DynoId) -> usize {
        self.0.in_flight(dyno).requests
    }
}

/// Dynos do not sleep, so nothing needs to be woken: a dyno that is asked for is being started.
pub(crate) struct NoWake;

impl router::Wake for NoWake {
    fn wake(&self, _app: AppId) {}
}
