//! Tells webhooks what happens to apps.
//!
//! Each turn looks at every app that somebody wants to know about, and lets `ops` make events of what has
//! changed. Then deliveries that are due go out, beside the loop, one at a time to each webhook and in
//! order. An attempt that a killed server made and did not write down is made again.

mod send;

pub(crate) use send::Sender;

use crate::driver::{Loop, Nudge, Turn};
use crate::error::{Result, chain};
use async_trait::async_trait;
use domain::webhook::{Level, WebhookDelivery};
use domain::{AppId, WebhookDeliveryId, WebhookId};
use jiff::Timestamp;
use ops::Ops;
use ops::webhooks::Seen;
use planner::webhooks::{Settings, next_attempt};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::Table;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What wakes the loop: all that apps have, and webhooks themselves.
pub(crate) const LOOKED_AT: [Table; 8] = [
    Table::Addons,
    Table::Apps,
    Table::Builds,
    Table::Domains,
    Table::Dynos,
    Table::Formation,
    Table::Releases,
    Table::Webhooks,
];

/// After a look that took so long it rests this many times as long: many apps that are looked at must not
/// take a core for themselves.
const SHARE: u32 = 4;

/// Deliveries on their way at the same time.
const AT_ONCE: usize = 16;

/// How apps look. The API knows.
#[async_trait]
pub trait Show: Send + Sync + 'static {
    /// Everything that an app has; nothing once it is gone.
    async fn app(&self, app: AppId) -> std::result::Result<Vec<Seen>, ops::Error>;
}

/// The loop.
pub(crate) struct Webhooks {
    pub(crate) show: Arc<dyn Show>,
    pub(crate) worker: Worker,
    pub(crate) nudge: Nudge,
    pub(crate) children: TaskTracker,
    /// Not before then does it look again.
    pub(crate) rested: Instant,
}

/// What does the work; cheap to clone.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) ops: Ops,
    pub(crate) sender: Sender,
    pub(crate) settings: Settings,
    pub(crate) shutdown: CancellationToken,
    pub(crate) turns: Arc<Semaphore>,
    /// Webhooks that are being told something.
    pub(crate) busy: Arc<Mutex<BTreeSet<WebhookId>>>,
}

impl Worker {
    pub(crate) fn new(ops: Ops, sender: Sender, settings: Settings, shutdown: CancellationToken) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { ops, sender, settings, shutdown, turns, busy: Arc::default() }
    }
}

#[async_trait]
impl Loop for Webhooks {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        tokio::select! {
            () = self.worker.shutdown.cancelled() => return Ok(Turn::default()),
            () = tokio::time::sleep_until(self.rested) => {}
        }
        let begun = Instant::now();
        let apps = ops::webhooks::watched(&self.worker.ops).await?;
        let (mut events, mut failures) = (0, 0);
        for app in &apps {
            match self.look(*app).await {
                Ok(found) => events += found,
                // One app must not keep others from being told of.
                Err(error) => {
                    failures += 1;
                    tracing::error!(app = %app, error = chain(&error), "could not look at an app for its webhooks");
                }
            }
        }
        self.rested = Instant::now() + begun.elapsed() * SHARE;
        let mut tx = self.worker.ops.store().read().await?;
        let due = store::webhooks::due(&mut tx).await?;
        drop(tx);
        let next = self.deliver(&due);
        let detail =
            json!({ "apps": apps.len(), "events": events, "failures": failures, "waiting": due.len() });
        Ok(Turn { detail, next })
    }
}

impl Webhooks {
    /// Looks at one app, and returns how many events there are.
    async fn look(&self, app: AppId) -> Result<usize> {
        let seen = self.show.app(app).await?;
        let events = ops::webhooks::observed(&self.worker.ops, app, &seen).await?;
        ops::webhooks::forget(&self.worker.ops, app).await?;
        Ok(events)
    }

    /// Sends the first of each webhook's that is due, and says when the next one is.
    fn deliver(&self, due: &[WebhookDelivery]) -> Option<Timestamp> {
        let now = self.worker.ops.now();
        let (mut begun, mut next) = (BTreeSet::new(), None::<Timestamp>);
        for one in due {
            let Some(at) = one.next_attempt_at else { continue };
            // What comes after it waits: a webhook hears things in order.
            if !begun.insert(one.webhook) || self.worker.is_busy(one.webhook) {
                continue;
            }
            if at > now {
                next = Some(next.map_or(at, |next| next.min(at)));
            } else {
                self.send(one.id, one.webhook);
            }
        }
        next
    }

    fn send(&self, id: WebhookDeliveryId, webhook: WebhookId) {
        if self.worker.shutdown.is_cancelled() || !self.worker.begin(webhook) {
            return;
        }
        let (worker, nudge) = (self.worker.clone(), self.nudge.clone());
        self.children.spawn(async move {
            if let Err(error) = worker.work(id).await {
                tracing::error!(delivery = %id, error = chain(&error), "how a delivery went was not written down");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            worker.end(webhook);
            nudge.now();
        });
    }
}

impl Worker {
    fn is_busy(&self, webhook: WebhookId) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).contains(&webhook)
    }

    fn begin(&self, webhook: WebhookId) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(webhook)
    }

    fn end(&self, webhook: WebhookId) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&webhook);
    }

    async fn work(&self, id: WebhookDeliveryId) -> Result<()> {
        let Ok(_turn) = self.turns.acquire().await else { return Ok(()) };
        let Some(parcel) = ops::webhooks::parcel(&self.ops, id).await? else { return Ok(()) };
        let attempt = tokio::select! {
            // The next server tells it.
            () = self.shutdown.cancelled() => return Ok(()),
            attempt = self.sender.send(&parcel, self.ops.now()) => attempt,
        };
        let next = if attempt.succeeded() { None } else { self.again(&parcel) };
        Ok(ops::webhooks::attempted(&self.ops, id, attempt, next).await?)
    }

    fn again(&self, parcel: &ops::webhooks::Parcel) -> Option<Timestamp> {
        let level: Level = parcel.webhook.level;
        let jitter = (parcel.attempt.0.as_u128() % 1000) as f64 / 1000.0;
        let (attempts, since) = (parcel.delivery.attempts + 1, parcel.event.created_at);
        next_attempt(&self.settings, level, attempts, since, jitter, self.ops.now())
    }
}
