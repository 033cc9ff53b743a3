//! Sends apps' logs to their drains.
//!
//! The loop sees to it that there is one [`delivery::Delivery`] for each drain's row, at the address that the
//! row says, and none beside. A delivery reads the log from disk at its own pace: a drain that is slow or dead
//! takes nothing of the app, of the log or of other drains.

mod channel;
mod datagrams;
mod delivery;
mod frame;
mod http;
mod place;
mod stream;
mod tls;

use crate::Settings;
use crate::driver::{Loop, Turn};
use crate::error::Result;
use async_trait::async_trait;
use channel::Ways;
use delivery::{Delivery, Failing, State};
use domain::{Drain, DrainId};
use logs::Logs;
use ops::Ops;
use place::Places;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The loop.
pub(crate) struct Drains {
    ops: Ops,
    logs: Logs,
    settings: planner::drains::Settings,
    ways: Ways,
    places: Places,
    failing: Failing,
    shutdown: CancellationToken,
    children: TaskTracker,
    running: HashMap<DrainId, Running>,
}

/// A delivery at work.
struct Running {
    /// Where it delivers to.
    url: String,
    gone: CancellationToken,
    task: JoinHandle<()>,
}

impl Drains {
    pub(crate) fn new(
        ops: Ops,
        logs: Logs,
        settings: &Settings,
        shutdown: CancellationToken,
        children: TaskTracker,
    ) -> Self {
        Self {
            ops,
            logs,
            settings: settings.drains,
            ways: Ways::new(&settings.drain_networks, settings.drains),
            places: Places::new(&settings.data),
            failing: Failing::default(),
            shutdown,
            children,
            running: HashMap::new(),
        }
    }
}

#[async_trait]
impl Loop for Drains {
    fn name(&self) -> &'static str {
        "drains"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let drains = store::drains::all(&mut self.ops.store().read().await?).await?;
        let wanted: HashMap<_, _> = drains.iter().map(|drain| (drain.id, &drain.url)).collect();
        let over = |(id, running): (&DrainId, &Running)| {
            let is_wanted = wanted.get(id).is_some_and(|url| **url == running.url);
            (!is_wanted || running.task.is_finished()).then_some(*id)
        };
        let over: Vec<_> = self.running.iter().filter_map(over).collect();
        for id in over {
            if let Some(running) = self.running.remove(&id) {
                running.gone.cancel();
                // How it ended, it has said; there is never a second one beside it.
                let _ = running.task.await;
            }
        }
        let known: HashSet<_> = drains.iter().map(|drain| drain.id).collect();
        self.places.keep(&known).await?;
        for drain in drains {
            if !self.shutdown.is_cancelled() && !self.running.contains_key(&drain.id) {
                self.start(drain);
            }
        }
        let detail = json!({ "drains": self.running.len(), "failing": self.failing.count() });
        Ok(Turn { detail, next: None })
    }
}

impl Drains {
    fn start(&mut self, drain: Drain) {
        let Some(channel) = self.ways.to(&drain) else {
            tracing::error!(drain = %drain.id, "a drain's address is none");
            return;
        };
        let (id, url, gone) = (drain.id, drain.url.clone(), CancellationToken::new());
        let delivery = Delivery {
            ops: self.ops.clone(),
            logs: self.logs.clone(),
            settings: self.settings,
            drain,
            channel,
            places: self.places.clone(),
            failing: self.failing.clone(),
            shutdown: self.shutdown.clone(),
            state: State::default(),
        };
        let task = self.children.spawn(delivery.run(gone.clone()));
        self.running.insert(id, Running { url, gone, task });
    }
}
