//! What the router counts, for Prometheus.

use crate::fault::Fault;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Upper bounds of the duration histogram, in seconds.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 75.0];

/// Counters of one router. Each is a handle: clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Requests answered, by the first digit of the status; those without one are first.
    classes: [Counter; 6],
    responses: Family<ClassLabel, Counter>,
    faults: Family<CodeLabel, Counter>,
    duration: Histogram,
    pub(crate) connections: Gauge,
    pub(crate) tunnels: Gauge,
    pub(crate) held: Gauge,
    pub(crate) dials: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let responses = Family::<ClassLabel, Counter>::default();
        let classes = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"]
            .map(|class| responses.get_or_create(&ClassLabel { class }).clone());
        Self {
            classes,
            responses,
            faults: Family::default(),
            duration: Histogram::new(BOUNDS),
            connections: Gauge::default(),
            tunnels: Gauge::default(),
            held: Gauge::default(),
            dials: Counter::default(),
        }
    }
}

impl Metrics {
    /// Makes the counters part of what `registry` exports, named `router_*`.
    pub fn register(&self, registry: &mut Registry) {
        let router = registry.sub_registry_with_prefix("router");
        router.register("requests", "Requests, by class of status", self.responses.clone());
        router.register("faults", "Requests that ended with an H code", self.faults.clone());
        let help = "Time from a request's head to the end of its response";
        router.register_with_unit("request_duration", help, Unit::Seconds, self.duration.clone());
        router.register("client_connections", "Open connections of clients", self.connections.clone());
        router.register("tunnels", "Open WebSockets and other upgraded connections", self.tunnels.clone());
        router.register("held_requests", "Requests that wait for a dyno", self.held.clone());
        router.register("dials", "Connections opened to dynos", self.dials.clone());
    }

    /// Requests counted so far, all classes together.
    pub fn requests(&self) -> u64 {
        self.classes.iter().map(Counter::get).sum()
    }

    /// Connections of clients that are open now.
    pub fn connections(&self) -> i64 {
        self.connections.get()
    }

    pub(crate) fn finished(&self, status: Option<u16>, fault: Option<&Fault>, took: Duration) {
        let class = usize::from(status.unwrap_or(0) / 100).min(5);
        self.classes[class].inc();
        self.duration.observe(took.as_secs_f64());
        if let Some(fault) = fault {
            self.faults.get_or_create(&CodeLabel { code: fault.code }).inc();
        }
    }
}
