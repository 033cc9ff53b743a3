//! What changes about services that are there: the size of their containers, and their credentials.

use super::errands::Script;
use super::{AtWork, Services, Worker, task};
use crate::error::{Error, Result, chain};
use domain::{Addon, Credential, Instance};
use planner::addons::retry_at;
use std::time::Duration;

impl Services {
    /// Takes an instance's container away beside the loop, once it has ended in peace. The loop finds
    /// none and starts the next one.
    pub(super) fn restart(&self, instance: Instance) {
        let id = instance.id;
        if !self.at_work.with(|busy| busy.instances.insert(id)) {
            return;
        }
        let (worker, at_work, nudge) = (self.worker.clone(), self.at_work.clone(), self.nudge.clone());
        self.children.spawn(async move {
            if let Err(error) = worker.take_down(&instance).await {
                tracing::error!(instance = %id, error = chain(&error), "a service does not end");
            }
            at_work.with(|busy| busy.instances.remove(&id));
            nudge.now();
        });
    }

    /// Tells a service of a credential beside the loop.
    pub(super) fn tell(&self, addon: Addon, instance: Option<Instance>, credential: Credential) {
        let id = addon.id;
        if !self.at_work.with(|busy| busy.addons.insert(id)) {
            return;
        }
        let (worker, settings, at_work, nudge) =
            (self.worker.clone(), self.settings, self.at_work.clone(), self.nudge.clone());
        self.children.spawn(async move {
            if let Err(error) = worker.tell(&addon, instance.as_ref(), &credential, &at_work).await {
                let (name, why) = (&credential.name, chain(&error));
                tracing::warn!(
                    addon = addon.name,
                    credential = name,
                    why,
                    "a service did not take a credential"
                );
                let retry = retry_at(&settings, credential.attempts, worker.ops.now());
                let told = ops::credentials::later(&worker.ops, credential.id, retry).await;
                told.unwrap_or_else(|error| {
                    tracing::error!(error = chain(&error), "a failure was not written down");
                });
            }
            at_work.with(|busy| busy.addons.remove(&id));
            nudge.now();
        });
    }
}

impl Worker {
    /// Runs the hook that a credential's state asks for, and writes down that it did its work.
    async fn tell(
        &self,
        addon: &Addon,
        instance: Option<&Instance>,
        credential: &Credential,
        at_work: &AtWork,
    ) -> Result<()> {
        let script: Script = if credential.removed {
            |hooks| hooks.revoke.as_deref()
        } else {
            |hooks| hooks.provision.as_deref()
        };
        if let Some(instance) = instance {
            let _turn = self.turns.acquire().await.map_err(|_| Error::Service("the server ends".into()))?;
            if let Some(spec) = self.task(addon, instance, credential, script).await? {
                task::run(self, spec, at_work).await?;
            }
        }
        Ok(ops::credentials::done(&self.ops, credential).await?)
    }

    async fn take_down(&self, instance: &Instance) -> Result<()> {
        let (definition, _) = self.offer(&instance.service, instance.plan.as_deref())?;
        let grace = definition.run.as_ref().map_or(0, |run| run.grace);
        self.engine.stop(instance.id.0, Duration::from_secs(grace)).await?;
        self.engine.wait(instance.id.0).await?;
        Ok(self.engine.remove(instance.id.0).await?)
    }
}
