//! Services that have their data from other ones: forks and followers.
//!
//! Before the container of a new one is started, a hook fills its volume, in a container of its own that
//! reaches the other service and reads its archive. It is run before each start until the add-on is there, and
//! finds its work done or begins it again.

use super::{AtWork, Worker, spec, task};
use crate::error::{Error, Result};
use addons::Definition;
use domain::{Addon, AddonState, Instance, Origin, OriginKind};
use engine::{ContainerSpec, Mount};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::time::Duration;

/// The longest that filling a volume may take.
const TIME_LIMIT: Duration = Duration::from_hours(12);

/// Where the other one's archive is seen.
const ORIGIN: &str = "/origin";

/// What a service has its data from.
pub(super) struct Source {
    origin: Origin,
    instance: Instance,
    port: u16,
    /// Of its plan.
    connections: u64,
    archive: Option<PathBuf>,
}

impl Source {
    pub(super) fn follows(&self) -> bool {
        self.origin.kind == OriginKind::Follow
    }

    /// What a follower would have to be started anew for, if it changed.
    pub(super) fn label(&self) -> String {
        format!("follows {} {}", self.instance.id, self.connections)
    }

    /// Tells a container of it, and lets it through.
    pub(super) fn show(&self, spec: &mut ContainerSpec) {
        let to = self.origin.to.map_or_else(String::new, |to| to.as_second().to_string());
        let told = [
            ("follows", self.follows().to_string()),
            ("origin_host", self.instance.address.to_string()),
            ("origin_port", self.port.to_string()),
            ("origin_connections", self.connections.to_string()),
            ("origin_to", to),
        ];
        spec.env.extend(told.map(|(name, value)| (spec::variable(name), value)));
        let values = self.instance.values.iter();
        spec.env
            .extend(values.map(|(name, value)| (spec::variable(&format!("origin_{name}")), value.clone())));
        spec.reach.push(SocketAddrV4::new(self.instance.address, self.port));
    }

    /// Lets a container read its archive.
    pub(super) fn lend(&self, spec: &mut ContainerSpec) {
        let mount =
            |source: &PathBuf| Mount { source: source.clone(), target: ORIGIN.into(), read_only: true };
        spec.mounts.extend(self.archive.as_ref().map(mount));
    }
}

impl Worker {
    /// What an add-on has its data from: a fork until it is there, a follower as long as it follows.
    pub(super) async fn source_of(&self, addon: &Addon) -> Result<Option<Source>> {
        let mut tx = self.ops.store().read().await?;
        let Some(origin) = store::origins::of_addon(&mut tx, addon.id).await? else { return Ok(None) };
        if origin.kind == OriginKind::Fork && addon.state != AddonState::Provisioning {
            return Ok(None);
        }
        let source = store::addons::by_id(&mut tx, origin.source).await?;
        let Some(source) = source.filter(|source| source.state.is_there()) else {
            // A follower is let go in a moment.
            return if addon.state == AddonState::Provisioned { Ok(None) } else { Err(gone()) };
        };
        let instance = match source.instance {
            Some(id) => store::instances::by_id(&mut tx, id).await?,
            None => None,
        };
        drop(tx);
        let (definition, offer) = self.offer(&source.service, Some(&source.plan))?;
        let (Some(instance), Some(run), Some(offer)) = (instance, &definition.run, offer) else {
            return Err(gone());
        };
        let archive = offer.archives().then(|| self.archive(instance.id)).filter(|path| path.exists());
        Ok(Some(Source { origin, instance, port: run.port, connections: offer.connections, archive }))
    }

    /// Fills the volume of a service that is to have another one's data.
    pub(super) async fn fill(
        &self,
        addon: &Addon,
        source: &Source,
        definition: &Definition,
        service: &ContainerSpec,
        at_work: &AtWork,
    ) -> Result<()> {
        let hooks = &definition.hooks;
        let script = if source.follows() { &hooks.follow } else { &hooks.fork };
        let Some(script) = script.as_ref().filter(|_| addon.state == AddonState::Provisioning) else {
            return Ok(());
        };
        let mut spec = spec::filler(addon.id, service, script);
        spec.time_limit = Some(TIME_LIMIT);
        source.show(&mut spec);
        source.lend(&mut spec);
        tokio::select! {
            // The next server takes its container away and begins it again.
            () = self.shutdown.cancelled() => Err(Error::Service("the server ends".into())),
            filled = task::run(self, spec, at_work) => filled,
        }
    }
}

fn gone() -> Error {
    Error::Service("the add-on that its data is to come from is gone".into())
}
