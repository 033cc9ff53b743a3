//! What the platform holds, for Prometheus: counted from the rows whenever somebody asks.

use domain::{BuildStatus, DynoState};
use ops::Ops;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Gauges of apps, dynos and builds.
#[derive(Clone, Default)]
pub(crate) struct PlatformMetrics {
    apps: Gauge,
    dynos: Family<StateLabel, Gauge>,
    pending_builds: Gauge,
    pending_releases: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

const STATES: [DynoState; 5] =
    [DynoState::Starting, DynoState::Up, DynoState::Idle, DynoState::Crashed, DynoState::Down];

impl PlatformMetrics {
    /// Makes the gauges part of what `registry` exports.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("apps", "Apps", self.apps.clone());
        registry.register("dynos", "Dynos, by state", self.dynos.clone());
        registry.register("pending_builds", "Builds that wait or run", self.pending_builds.clone());
        registry.register(
            "pending_releases",
            "Releases whose command has not ended",
            self.pending_releases.clone(),
        );
    }

    /// Counts anew.
    pub(crate) async fn count(&self, ops: &Ops) -> Result<(), store::StoreError> {
        let mut tx = ops.store().read().await?;
        self.apps.set(as_gauge(store::apps::list(&mut tx).await?.len()));
        let dynos = store::dynos::all(&mut tx).await?;
        for state in STATES {
            let count = dynos.iter().filter(|dyno| dyno.state == state).count();
            self.dynos.get_or_create(&StateLabel { state: state.as_str() }).set(as_gauge(count));
        }
        let builds = store::builds::pending(&mut tx).await?;
        let pending = builds.iter().filter(|queued| queued.build.status == BuildStatus::Pending);
        self.pending_builds.set(as_gauge(pending.count()));
        self.pending_releases.set(as_gauge(store::releases::pending(&mut tx).await?.len()));
        Ok(())
    }
}

fn as_gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
