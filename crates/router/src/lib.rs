//! The HTTP data plane: takes requests by host name, hands each to one dyno of the app, and says
//! in Heroku's words what went wrong when it cannot.
//!
//! It knows apps and dynos only through [`Routes`], a table that others publish; it never reads
//! the store and keeps serving the last table when everything else is broken. Requests for an app
//! whose dynos are starting wait for the next table instead of failing.
//!
//! One single-threaded runtime per core accepts on its own socket (`SO_REUSEPORT`) and keeps its
//! own pool of connections to dynos, so that a request never crosses threads. Behaviour, limits,
//! codes and log lines follow Heroku's router as its Dev Center and vegur, its open-source core,
//! describe it ("HTTP Routing", "Heroku Error Codes").
//!
//! It refuses to buffer bodies, to compress, cache or rewrite them, to pick a dyno by anything but
//! chance, and to send a request a second time once a dyno may have seen it, unless the method
//! allows that and there is no body.

mod alarm;
mod answer_body;
mod choice;
mod chunked;
mod client_io;
mod config;
mod connection;
mod dispatch;
mod exchange;
mod fault;
mod handle;
mod head;
mod journal;
mod link;
mod meter;
mod metrics;
mod outgoing;
mod page;
mod pool;
mod record;
mod response_body;
mod routes;
mod server;
mod tunnel;

pub use config::{Config, Limits, Timeouts};
pub use metrics::Metrics;
pub use routes::{InFlight, Routes};
pub use server::{BindError, Bound};

use domain::{AppId, LogLine};
use std::sync::Arc;

/// Takes the lines that requests leave in their app's log, one each, a moment after the request's
/// end and as many at once as there are. Must not block.
pub trait LogSink: Send + Sync + 'static {
    fn log(&self, app: AppId, lines: Vec<LogLine>);
}

/// Told, at most about once a second for one app, that a request waits for a dyno.
/// Must not block.
pub trait Wake: Send + Sync + 'static {
    fn wake(&self, app: AppId);
}

/// What the router calls.
#[derive(Clone)]
pub struct Hooks {
    pub log: Arc<dyn LogSink>,
    pub wake: Arc<dyn Wake>,
    pub metrics: Arc<Metrics>,
}
