//! Containers of services: how they are started, and taken away with all they hold.

use super::origin::Source;
use super::{AtWork, Services, Worker, label, spec, task};
use crate::error::{Error, Result};
use addons::{Plan as Offer, Running};
use domain::{Addon, Instance, InstanceId};
use engine::Observation;
use std::collections::BTreeMap;
use std::path::PathBuf;

impl Services {
    /// Whether a container was started for another size, another leader or without what it is to have now.
    pub(super) fn is_outgrown(
        &self,
        instance: &Instance,
        owned: bool,
        source: Option<&Source>,
        observed: &BTreeMap<InstanceId, Observation>,
    ) -> bool {
        let started = observed.get(&instance.id).and_then(|one| one.labels.get(label::SIZE));
        let offer = self.worker.offer(&instance.service, instance.plan.as_deref()).ok();
        let wanted = offer.and_then(|(definition, offer)| {
            definition.run.as_ref().map(|run| shape(run, offer, owned, source))
        });
        started.is_some() && wanted.is_some() && started != wanted.as_ref()
    }
}

impl Worker {
    fn volume(&self, id: InstanceId) -> PathBuf {
        self.data.join("volumes").join(id.to_string())
    }

    pub(super) async fn start_instance(&self, instance: &Instance, at_work: &AtWork) -> Result<()> {
        let (definition, offer) = self.offer(&instance.service, instance.plan.as_deref())?;
        let run = definition.run.as_ref().ok_or_else(|| {
            Error::Service(format!("the definition of {} does not say how it runs", instance.service))
        })?;
        let image = self.image(run).await?;
        let volume = self.volume(instance.id).join("disk.img");
        let settings = self.settings_of(instance, definition).await?;
        let mut spec = spec::instance(instance, definition, run, offer, &settings, image, volume);
        let addon = self.owner(instance).await?;
        let source = match &addon {
            Some(addon) => self.source_of(addon).await?,
            None => None,
        };
        if let (Some(addon), Some(source)) = (&addon, &source) {
            self.fill(addon, source, definition, &spec, at_work).await?;
        }
        let source = source.filter(Source::follows);
        if let Some(source) = &source {
            source.show(&mut spec);
            source.lend(&mut spec);
        }
        if let (Some(_), Some(offer)) = (&addon, offer.filter(|offer| offer.archives())) {
            self.lend_archive(instance.id, offer, &mut spec)?;
        }
        let shape = shape(run, offer, addon.is_some(), source.as_ref());
        spec.labels.insert(label::SIZE.into(), shape);
        Ok(self.engine.start(spec).await?)
    }

    /// The add-on whose own an instance is.
    async fn owner(&self, instance: &Instance) -> Result<Option<Addon>> {
        if instance.plan.is_none() {
            return Ok(None);
        }
        let mut tx = self.ops.store().read().await?;
        Ok(store::addons::of_instance(&mut tx, instance.id).await?.into_iter().next())
    }

    /// Takes a container away that has ended, and says why in the server's log.
    pub(super) async fn bury(&self, id: InstanceId, retry: jiff::Timestamp) -> Result<()> {
        let last = task::last_lines(&*self.engine, id.0).await;
        tracing::warn!(instance = %id, last, "a service has ended");
        ops::addons::instance_failed(&self.ops, id, &last, retry).await?;
        Ok(self.engine.remove(id.0).await?)
    }

    pub(super) async fn remove_instance(&self, id: InstanceId) -> Result<()> {
        self.engine.remove(id.0).await?;
        for path in [self.volume(id), self.archive(id)] {
            match tokio::fs::remove_dir_all(path).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("delete a service's volume")(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// All that the container of an instance would have to be started anew for, if it changed. One that is `owned`
/// is an add-on's.
fn shape(run: &Running, offer: Option<&Offer>, owned: bool, source: Option<&Source>) -> String {
    let mut shape = spec::size_label(run, offer);
    if owned && offer.is_some_and(Offer::archives) {
        shape.push_str(" archived");
    }
    if let Some(source) = source {
        shape.push(' ');
        shape.push_str(&source.label());
    }
    shape
}
