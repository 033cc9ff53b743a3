//! Carries what a service prints into the logs of the apps that are attached to its add-on.
//!
//! In an instance that add-ons share nobody can tell whose a line is, so its lines are let go. A few
//! lines are left in the spool on purpose: they tell why a service ended.

use super::{REST, log_line, next_batch};
use crate::collect::Collected;
use crate::error::{Error, Result, chain};
use crate::services::label;
use domain::{AppId, InstanceId};
use engine::{Engine, EngineError, Observation, OutputLine, Status};
use logs::Logs;
use ops::Ops;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Lines that are not acknowledged.
const LEFT: u64 = 5;
/// A container that has ended is looked at so often, to see when it is taken away.
const LOOK: Duration = Duration::from_secs(5);

/// Carries the output of one start of an instance.
pub(super) struct ServiceCarrier {
    pub(super) ops: Ops,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) logs: Logs,
    pub(super) collected: Collected,
    pub(super) shutdown: CancellationToken,
    pub(super) instance: InstanceId,
    /// The start. Lines of each are numbered anew, so the logs know them by this.
    pub(super) start: Uuid,
    /// The apps whose logs remember this start.
    pub(super) told: BTreeSet<AppId>,
}

/// The start of a service that a container is.
pub(super) fn start_of(seen: &Observation) -> Uuid {
    seen.labels.get(label::START).and_then(|start| start.parse().ok()).unwrap_or(seen.id)
}

impl ServiceCarrier {
    pub(super) async fn run(mut self) {
        let shutdown = self.shutdown.clone();
        let work = async {
            self.carry_all().await;
            self.forget().await;
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = work => {}
        }
    }

    /// Carries until everything is kept and the container gone.
    async fn carry_all(&mut self) {
        loop {
            match self.carry().await {
                Ok(()) => break,
                Err(Error::Engine(EngineError::NotFound(_))) => return,
                Err(error) => {
                    tracing::warn!(instance = %self.instance, error = chain(&error), "could not keep a service's output yet");
                }
            }
            tokio::time::sleep(REST).await;
        }
        let mut changes = self.engine.changes();
        self.collected.add(self.instance.0);
        loop {
            changes.mark_unchanged();
            match self.engine.observe_one(self.instance.0).await {
                Ok(seen) if start_of(&seen) == self.start => {}
                _ => return,
            }
            let _ = tokio::time::timeout(LOOK, changes.changed()).await;
        }
    }

    async fn carry(&mut self) -> Result<()> {
        loop {
            let after = self.position().await?;
            let mut lines = self.engine.output(self.instance.0, after).await?;
            while let Some(batch) = next_batch(&mut lines).await {
                self.keep(&batch).await?;
            }
            let seen = self.engine.observe_one(self.instance.0).await?;
            if start_of(&seen) != self.start {
                return Err(EngineError::NotFound(self.instance.0).into());
            }
            if matches!(seen.status, Status::Exited { .. }) {
                return Ok(());
            }
            // The stream broke off; begin again where it was.
            tokio::time::sleep(REST).await;
        }
    }

    /// Where the log that is farthest behind is.
    async fn position(&mut self) -> Result<u64> {
        let mut least = None;
        for (app, _) in self.readers().await? {
            match self.logs.position(app, self.start).await {
                Ok(position) => least = Some(least.map_or(position, |least: u64| least.min(position))),
                Err(logs::Error::Removed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(least.unwrap_or(0))
    }

    async fn keep(&mut self, batch: &[OutputLine]) -> Result<()> {
        let Some(last) = batch.last().map(|line| line.sequence) else { return Ok(()) };
        for (app, process) in self.readers().await? {
            let lines = batch.iter().map(|line| (line.sequence, log_line(line, &process))).collect();
            match self.logs.append_from(app, self.start, lines).await {
                Ok(()) => _ = self.told.insert(app),
                Err(logs::Error::Removed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(done) = last.checked_sub(LEFT).filter(|done| *done > 0) {
            self.engine.acknowledge(self.instance.0, done).await?;
        }
        Ok(())
    }

    /// The apps that are attached now, and how they know the service.
    async fn readers(&self) -> Result<Vec<(AppId, String)>> {
        let mut tx = self.ops.store().read().await?;
        let Some(instance) = store::instances::by_id(&mut tx, self.instance).await? else {
            return Ok(Vec::new());
        };
        let Some(service) = self.ops.settings().catalog.service(&instance.service) else {
            return Ok(Vec::new());
        };
        if instance.plan.is_none() {
            return Ok(Vec::new());
        }
        let (mut readers, mut apps) = (Vec::new(), BTreeSet::new());
        for addon in store::addons::of_instance(&mut tx, instance.id).await? {
            let process = format!("{}.{}", service.process(), number(&addon.name, instance.id));
            let attachments = store::attachments::of_addon(&mut tx, addon.id).await?;
            let new = attachments.iter().map(|one| one.app).filter(|app| apps.insert(*app));
            readers.extend(new.map(|app| (app, process.clone())));
        }
        Ok(readers)
    }

    async fn forget(&self) {
        for app in &self.told {
            self.logs.forget(*app, self.start).await;
        }
    }
}

/// The number in the add-on's name, so that its user knows it again; else one of the instance's.
fn number(name: &str, instance: InstanceId) -> String {
    match name.rsplit_once('-') {
        Some((_, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.to_owned()
        }
        _ => (instance.0.as_u128() % 90_000 + 10_000).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_names() {
        let id = InstanceId(Uuid::from_u128(7));
        assert_eq!(number("redis-rugged-24473", id), "24473");
        assert_eq!(number("shop-cache", id), "10007");
        assert_eq!(number("cache", id), "10007");
    }
}
