//! Runs hooks that do something once at an add-on, and tells services what users have set.

use super::origin::Source;
use super::{AtWork, Services, Worker, spec, task};
use crate::error::{Error, Result, chain};
use addons::{Definition, Hooks};
use domain::{Addon, Credential, Errand, ErrandKind, Instance};
use engine::ContainerSpec;
use planner::addons::retry_at;
use std::collections::BTreeMap;

/// Chooses a hook.
pub(super) type Script = fn(&Hooks) -> Option<&str>;

impl Services {
    /// Does what is asked of an add-on beside the loop.
    pub(super) fn run_errand(&self, addon: Addon, instance: Option<Instance>, errand: &Errand) {
        let id = addon.id;
        if !self.at_work.with(|busy| busy.addons.insert(id)) {
            return;
        }
        let (worker, settings, at_work, nudge) =
            (self.worker.clone(), self.settings, self.at_work.clone(), self.nudge.clone());
        let errand = errand.clone();
        self.children.spawn(async move {
            let written = match worker.errand(&addon, instance.as_ref(), errand.kind, &at_work).await {
                Ok(()) => ops::addons::errand_done(&worker.ops, errand.id).await,
                Err(error) => {
                    let (kind, why) = (errand.kind.as_str(), chain(&error));
                    tracing::warn!(
                        addon = addon.name,
                        kind,
                        why,
                        "a service did not do what it was asked for"
                    );
                    let retry = retry_at(&settings, errand.attempts, worker.ops.now());
                    ops::addons::errand_failed(&worker.ops, errand.id, &why, retry).await
                }
            };
            if let Err(error) = written {
                tracing::error!(error = chain(&error), "how an errand went was not written down");
            }
            at_work.with(|busy| busy.addons.remove(&id));
            nudge.now();
        });
    }
}

impl Worker {
    async fn errand(
        &self,
        addon: &Addon,
        instance: Option<&Instance>,
        kind: ErrandKind,
        at_work: &AtWork,
    ) -> Result<()> {
        let Some(instance) = instance else { return Ok(()) };
        let _turn = self.turns.acquire().await.map_err(|_| Error::Service("the server ends".into()))?;
        let script: Script = match kind {
            ErrandKind::Settings => |hooks| hooks.settings.as_deref(),
            ErrandKind::ResetStats => |hooks| hooks.reset_stats.as_deref(),
            ErrandKind::Unfollow => |hooks| hooks.unfollow.as_deref(),
        };
        self.script(addon, instance, script, 0, at_work).await.map(drop)
    }

    /// What was set at the add-on whose own an instance is.
    pub(super) async fn settings_of(
        &self,
        instance: &Instance,
        definition: &Definition,
    ) -> Result<BTreeMap<String, String>> {
        let mut tx = self.ops.store().read().await?;
        match store::addons::of_instance(&mut tx, instance.id).await?.first() {
            Some(addon) if instance.plan.is_some() => {
                Ok(definition.settings_with(&store::settings::of_addon(&mut tx, addon.id).await?))
            }
            _ => Ok(definition.settings_with(&BTreeMap::new())),
        }
    }

    /// Runs a script of an add-on's service about its own credential, and returns the last `lines` lines
    /// that it printed. Nothing is run for a service without one.
    pub(super) async fn script(
        &self,
        addon: &Addon,
        instance: &Instance,
        script: Script,
        lines: usize,
        at_work: &AtWork,
    ) -> Result<Vec<String>> {
        let mut tx = self.ops.store().read().await?;
        let credential = store::credentials::by_name(&mut tx, addon.id, Credential::DEFAULT).await?;
        drop(tx);
        let Some(credential) = credential else { return Ok(Vec::new()) };
        match self.task(addon, instance, &credential, script).await? {
            Some(spec) => task::ask(self, spec, at_work, lines).await,
            None => Ok(Vec::new()),
        }
    }

    /// The container of a script of an add-on's service about a credential; `None` for a service without one.
    pub(super) async fn task(
        &self,
        addon: &Addon,
        instance: &Instance,
        credential: &Credential,
        script: Script,
    ) -> Result<Option<ContainerSpec>> {
        let (definition, offer) = self.offer(&addon.service, Some(&addon.plan))?;
        let (Some(script), Some(run), Some(offer)) = (script(&definition.hooks), &definition.run, offer)
        else {
            return Ok(None);
        };
        let mut tx = self.ops.store().read().await?;
        let settings = definition.settings_with(&store::settings::of_addon(&mut tx, addon.id).await?);
        drop(tx);
        let image = self.image(run).await?;
        let mut spec =
            spec::task(addon.id, instance, definition, run, offer, credential, &settings, script, image);
        if let Some(source) = self.source_of(addon).await?.filter(Source::follows) {
            source.show(&mut spec);
        }
        Ok(Some(spec))
    }
}
