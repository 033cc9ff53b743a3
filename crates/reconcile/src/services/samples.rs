//! Asks services how they are, once a minute, and says so in the logs of the apps that use them, as
//! Heroku does: `source=DATABASE addon=postgresql-clear-67109 sample#tables=150 …`.

use super::errands::Script;
use super::{AtWork, Worker, label};
use crate::driver::{Loop, Turn};
use crate::error::{Result, chain};
use async_trait::async_trait;
use domain::{Addon, AddonId, AddonState, Instance, InstanceId, LogLine};
use engine::Status;
use logs::Logs;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// How often each is asked.
const EVERY: Duration = Duration::from_mins(1);
/// More is not a log line any more.
const SAMPLES: usize = 60;

/// The loop. Asks one at a time: this is the least urgent thing that the platform does.
pub(crate) struct Samples {
    worker: Worker,
    logs: Logs,
    at_work: AtWork,
    asked: HashMap<AddonId, Instant>,
}

#[async_trait]
impl Loop for Samples {
    fn name(&self) -> &'static str {
        "samples"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let ready: BTreeSet<_> =
            self.worker.engine.observe().await?.iter().filter_map(ready_instance).collect();
        let mut tx = self.worker.ops.store().read().await?;
        let instances: HashMap<_, _> =
            store::instances::list(&mut tx).await?.into_iter().map(|one| (one.id, one)).collect();
        let addons = store::addons::list(&mut tx).await?;
        drop(tx);
        self.asked.retain(|id, _| addons.iter().any(|addon| addon.id == *id));
        let mut failures = 0;
        for addon in addons.iter().filter(|addon| addon.state == AddonState::Provisioned) {
            let instance = addon.instance.filter(|id| ready.contains(id)).and_then(|id| instances.get(&id));
            let (Some(instance), true) = (instance, self.is_due(addon.id)) else { continue };
            self.asked.insert(addon.id, Instant::now());
            let asked = tokio::select! {
                // Its container is cleared away by the next server.
                () = self.worker.shutdown.cancelled() => break,
                asked = self.ask(addon, instance) => asked,
            };
            if let Err(error) = asked {
                failures += 1;
                tracing::debug!(addon = addon.name, error = chain(&error), "a service did not say how it is");
            }
        }
        Ok(Turn { detail: json!({ "asked": self.asked.len(), "failures": failures }), next: None })
    }
}

/// An observation's instance, if it is one that listens.
pub(super) fn ready_instance(seen: &engine::Observation) -> Option<InstanceId> {
    let is_service = seen.labels.get(label::KIND).is_some_and(|kind| kind == label::SERVICE);
    let listens = matches!(seen.status, Status::Running { listening: true, .. });
    (is_service && listens).then_some(InstanceId(seen.id))
}

impl Samples {
    pub(crate) fn new(worker: Worker, logs: Logs, at_work: AtWork) -> Self {
        Self { worker, logs, at_work, asked: HashMap::new() }
    }

    fn is_due(&self, id: AddonId) -> bool {
        self.asked.get(&id).is_none_or(|at| at.elapsed() >= EVERY)
    }

    async fn ask(&self, addon: &Addon, instance: &Instance) -> Result<()> {
        let mut tx = self.worker.ops.store().read().await?;
        let attachments = store::attachments::of_addon(&mut tx, addon.id).await?;
        drop(tx);
        let hook: Script = |hooks| hooks.metrics.as_deref();
        let printed = self.worker.script(addon, instance, hook, SAMPLES, &self.at_work).await?;
        let samples = samples(&printed);
        if samples.is_empty() {
            return Ok(());
        }
        ops::addons::sampled(&self.worker.ops, addon.id, &samples.iter().cloned().collect()).await?;
        let said: Vec<_> = samples.iter().map(|(name, value)| format!("sample#{name}={value}")).collect();
        for attachment in &attachments {
            let text = format!("source={} addon={} {}", attachment.name, addon.name, said.join(" "));
            self.logs.append(attachment.app, LogLine::app(self.worker.ops.now(), &addon.service, text));
        }
        Ok(())
    }
}

/// `tables` and `150` of `tables=150` and so on. What is not of that form is passed over.
fn samples(lines: &[String]) -> Vec<(String, String)> {
    let word = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    let parts = lines.iter().filter_map(|line| line.trim().split_once('='));
    let good = parts.filter(|(name, value)| word(name, b"-_") && word(value, b".-+_%"));
    good.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_samples_are_said() {
        let lines = ["tables=150", " hit-rate=0.5 ", "db_size=7bytes", "a b=1", "c=1 2", "=1", "d=", "words"];
        let found = samples(&lines.map(str::to_owned));
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("tables", "150"), ("hit-rate", "0.5"), ("db_size", "7bytes")]);
    }
}
