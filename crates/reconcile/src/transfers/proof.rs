//! Tries a backup: restores it into a service that is started for it alone, and compares what is there with
//! what the service said as the backup was made.

use super::Worker;
use super::hook::{Dump, Outcome, Place, Stop, scratch_credential};
use super::work::script;
use crate::error::{Error, Result, chain};
use domain::{AddonId, Instance, Transfer, TransferId};
use engine::{EngineError, Status};
use ops::transfers::Verdict;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a service may take to start; its packages may have to be installed first.
const START: Duration = Duration::from_mins(15);
/// Starts that fail before a trial is put off.
const FAILURES: u32 = 3;
/// Lines by which figures differ that are told.
const DIFFERENCES: usize = 3;

impl Worker {
    /// Tries one and writes down what came of it. Returns whether it is to be tried again.
    pub(super) async fn prove(&self, id: TransferId, stop: &CancellationToken) -> Result<bool> {
        let ops = &self.services.ops;
        let Some((backup, instance)) = ops::transfers::proof_begun(ops, id).await? else { return Ok(false) };
        let tried = self.attempt(&backup, instance, stop).await;
        if self.services.shutdown.is_cancelled() {
            // The next server begins it again.
            return Ok(false);
        }
        let verdict = match tried {
            Ok(text) => Verdict::Proven(text),
            Err(Stop::Failed(why)) => {
                tracing::error!(transfer = %id, why, "a backup cannot be restored");
                Verdict::Refuted(why)
            }
            Err(Stop::Asked) => {
                ops::transfers::proof_put_off(ops, id, "it was stopped").await?;
                return Ok(true);
            }
            Err(Stop::Machine(error)) => {
                ops::transfers::proof_put_off(ops, id, &chain(&error)).await?;
                return Ok(true);
            }
        };
        ops::transfers::proof_ended(ops, id, verdict).await?;
        Ok(false)
    }

    async fn attempt(
        &self,
        backup: &Transfer,
        instance: Instance,
        stop: &CancellationToken,
    ) -> Outcome<String> {
        let dump = self.lend(backup, stop).await?;
        let (definition, offer) = self.services.offer(&backup.service, Some(&backup.plan))?;
        let (Some(run), Some(offer)) = (definition.run.as_ref(), offer) else {
            return Err(Stop::Machine(Error::Service(format!("{} runs nowhere", backup.service))));
        };
        tokio::select! {
            up = timeout(START, self.up(&instance)) => {
                up.map_err(|_| Error::Service("the service for it did not start in time".into()))??;
            }
            () = stop.cancelled() => return Err(Stop::Asked),
        }
        let credential = scratch_credential(definition, self.services.ops.now());
        let addon = backup.from.unwrap_or(AddonId(Uuid::nil()));
        let place = Place { addon, instance, credential, definition, run, offer };
        if let Some(provision) = &definition.hooks.provision {
            // Nothing of the backup's is in this yet, so its failure says nothing about it.
            let made = self.hook(backup.id, &place, provision, &[], Dump::None, stop).await;
            made.map_err(|stop| match stop {
                Stop::Failed(why) => Stop::Machine(Error::Service(why)),
                other => other,
            })?;
        }
        let restore = script(definition.hooks.restore.as_deref(), "restore backups")?;
        self.hook(backup.id, &place, restore, &[], Dump::From(dump.path()), stop).await?;
        let verify = script(definition.hooks.verify.as_deref(), "look into backups")?;
        let found = self.hook(backup.id, &place, verify, &[], Dump::None, stop).await?.figures;
        match &backup.figures {
            Some(expected) if *expected != found => Err(Stop::Failed(differences(expected, &found))),
            _ => Ok(found),
        }
    }

    /// Waits until an instance can be reached.
    async fn up(&self, instance: &Instance) -> Result<()> {
        let engine = &self.services.engine;
        let mut changes = engine.changes();
        loop {
            changes.mark_unchanged();
            match engine.observe_one(instance.id.0).await {
                Ok(seen) if matches!(seen.status, Status::Running { listening: true, .. }) => return Ok(()),
                Ok(_) | Err(EngineError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
            let mut tx = self.services.ops.store().read().await?;
            let row = store::instances::by_id(&mut tx, instance.id).await?;
            drop(tx);
            if row.is_none_or(|row| row.removed || row.failures >= FAILURES) {
                return Err(Error::Service("the service for it does not start".into()));
            }
            // A second's pause bounds what a lost wake-up can cost.
            let _ = timeout(Duration::from_secs(1), changes.changed()).await;
        }
    }
}

/// What is not as it was, in words for users.
fn differences(expected: &str, found: &str) -> String {
    let missing = expected.lines().filter(|line| !found.lines().any(|other| other == *line));
    let other = found.lines().filter(|line| !expected.lines().any(|other| other == *line));
    let list = |lines: &mut dyn Iterator<Item = &str>| {
        lines.take(DIFFERENCES).map(str::to_owned).collect::<Vec<_>>().join(", ")
    };
    let (missing, other) = (list(&mut { missing }), list(&mut { other }));
    match (missing.is_empty(), other.is_empty()) {
        (true, true) => "what was restored is in another order".to_owned(),
        (false, true) => format!("what was restored lacks {missing}"),
        (true, false) => format!("what was restored has {other} besides"),
        (false, false) => format!("what was restored has {other} in the place of {missing}"),
    }
}

#[cfg(test)]
mod tests {
    use super::differences;

    #[test]
    fn differences_are_named() {
        for (expected, found, words) in [
            ("a 1\nb 2\n", "a 1\n", "what was restored lacks b 2"),
            ("a 1\n", "a 1\nc 3\n", "what was restored has c 3 besides"),
            ("a 1\nb 2\n", "a 1\nb 3\n", "what was restored has b 3 in the place of b 2"),
        ] {
            assert_eq!(differences(expected, found), words);
        }
    }
}
