//! Keeps the services that add-ons live in running, makes add-ons in them, and takes away what is given
//! up.
//!
//! An instance's container has the instance's id, its volume is `volumes/<id>` of the data directory. A
//! hook runs in a container beside it and is begun again when the server was killed meanwhile, so hooks
//! must be able to find their work done. What is made of that is written down by `ops`.

mod archives;
mod changes;
mod errands;
mod instances;
mod origin;
mod samples;
pub(crate) mod spec;
mod task;

pub(crate) use archives::{Archives, Copying};
pub(crate) use samples::Samples;
pub(crate) use spec::label;

use crate::Build;
use crate::collect::Collected;
use crate::driver::{Loop, Nudge, Turn};
use crate::error::{Error, Result, chain};
use addons::{Definition, Plan as Offer, Running};
use async_trait::async_trait;
use domain::{Addon, AddonId, AddonState, Digest, Instance, InstanceId};
use engine::{Engine, Observation, Status};
use errands::Script;
use ops::Ops;
use origin::Source;
use planner::addons::{Action, Seen, Settings, World, plan, retry_at};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Hooks that run at the same time.
const HOOKS: usize = 4;

/// An instance that has run for so long has got over its failures.
const STEADY: Duration = Duration::from_secs(30);

/// The loop.
pub(crate) struct Services {
    pub(crate) worker: Worker,
    pub(crate) settings: Settings,
    pub(crate) nudge: Nudge,
    pub(crate) children: TaskTracker,
    pub(crate) at_work: AtWork,
    pub(crate) collected: Collected,
}

/// What does the work; cheap to clone.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) ops: Ops,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) builder: Arc<dyn Build>,
    /// The data directory.
    pub(crate) data: PathBuf,
    pub(crate) turns: Arc<Semaphore>,
    /// Cancelled once what an earlier server was building is gone: what is built before goes, too.
    pub(crate) swept: CancellationToken,
    pub(crate) shutdown: CancellationToken,
}

impl Worker {
    pub(crate) fn new(
        ops: Ops,
        engine: Arc<dyn Engine>,
        builder: Arc<dyn Build>,
        data: PathBuf,
        swept: CancellationToken,
        shutdown: CancellationToken,
    ) -> Self {
        Self { ops, engine, builder, data, turns: Arc::new(Semaphore::new(HOOKS)), swept, shutdown }
    }
}

/// The id of this start of a service, if a container is one; each start has another.
pub fn service_start(seen: &Observation) -> Option<&str> {
    let is_service = seen.labels.get(label::KIND).is_some_and(|kind| kind == label::SERVICE);
    seen.labels.get(label::START).filter(|_| is_service).map(String::as_str)
}

/// What is being done at this moment. Forgotten with the server; then all of it is begun again.
#[derive(Clone, Default)]
pub(crate) struct AtWork(Arc<Mutex<Busy>>);

#[derive(Default)]
struct Busy {
    addons: BTreeSet<AddonId>,
    instances: BTreeSet<InstanceId>,
    tasks: BTreeSet<engine::ContainerId>,
}

impl AtWork {
    /// A hook's container that somebody waits for.
    pub(crate) fn begin(&self, task: engine::ContainerId) {
        self.with(|busy| busy.tasks.insert(task));
    }

    /// Nobody waits for it any more.
    pub(crate) fn end(&self, task: engine::ContainerId) {
        self.with(|busy| busy.tasks.remove(&task));
    }

    /// Whether somebody waits for it.
    pub(crate) fn has(&self, task: engine::ContainerId) -> bool {
        self.with(|busy| busy.tasks.contains(&task))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Busy) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Loop for Services {
    fn name(&self) -> &'static str {
        "services"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let observed = self.observe().await?;
        let world = self.world(&observed).await?;
        let found = plan(&self.settings, &world, self.worker.ops.now());
        self.forget_failures(&world, &observed).await?;
        let mut failures = Vec::new();
        if !self.worker.shutdown.is_cancelled() {
            for action in &found.actions {
                // What fails for one must neither stop nor delay the others.
                if let Err(error) = self.apply(*action, &world).await {
                    let error = chain(&error);
                    tracing::warn!(?action, error, "could not do what a service needs");
                    failures.push(error);
                }
            }
        }
        let detail = json!({
            "instances": world.instances.len(), "addons": world.addons.len(),
            "actions": found.actions.len(), "failures": failures,
        });
        let again = (!failures.is_empty()).then(|| retry_at(&self.settings, 2, self.worker.ops.now()));
        Ok(Turn { detail, next: found.next.into_iter().chain(again).min() })
    }
}

impl Services {
    /// The containers of services. Those of hooks that nobody waits for are left by a server that was
    /// killed, and go.
    async fn observe(&self) -> Result<BTreeMap<InstanceId, Observation>> {
        let mut seen = BTreeMap::new();
        for one in self.worker.engine.observe().await? {
            match one.labels.get(label::KIND).map(String::as_str) {
                Some(label::SERVICE) => drop(seen.insert(InstanceId(one.id), one)),
                Some(label::TASK) if self.at_work.with(|busy| !busy.tasks.contains(&one.id)) => {
                    self.worker.engine.remove(one.id).await?;
                }
                _ => {}
            }
        }
        Ok(seen)
    }

    async fn world(&self, observed: &BTreeMap<InstanceId, Observation>) -> Result<World> {
        let mut tx = self.worker.ops.store().read().await?;
        let instances = store::instances::list(&mut tx).await?;
        let mut addons = store::addons::list(&mut tx).await?;
        // Those of partners' services are another loop's.
        let partners: BTreeSet<_> =
            store::resources::list(&mut tx).await?.into_iter().map(|one| one.addon).collect();
        addons.retain(|addon| !partners.contains(&addon.id));
        let errands = store::errands::pending(&mut tx).await?;
        let credentials = store::credentials::pending(&mut tx).await?;
        let origins = store::origins::list(&mut tx).await?;
        let leaving = addons.iter().any(|addon| addon.state == AddonState::Deprovisioning);
        let transfers = if leaving { store::transfers::list(&mut tx).await? } else { Vec::new() };
        drop(tx);
        // A container without a row: its instance was taken away by a server that was killed then.
        for id in observed.keys().filter(|id| instances.iter().all(|one| one.id != **id)) {
            if self.at_work.with(|busy| !busy.instances.contains(id)) {
                self.worker.remove_instance(*id).await?;
                self.collected.forget(id.0);
            }
        }
        let seen = observed.iter().map(|(id, one)| {
            let seen = match one.status {
                Status::Running { listening: true, .. } => Seen::Ready,
                // What it printed is kept first.
                Status::Exited { .. } if self.collected.contains(id.0) => Seen::Ended,
                _ => Seen::Starting,
            };
            (*id, seen)
        });
        let seen: BTreeMap<_, _> = seen.collect();
        let mut outgrown = BTreeSet::new();
        for instance in &instances {
            let addon = addons.iter().find(|one| one.instance == Some(instance.id));
            let addon = addon.filter(|_| instance.plan.is_some());
            let source = match addon.filter(|one| origins.iter().any(|origin| origin.addon == one.id)) {
                // One whose source is gone shows it when it is started.
                Some(addon) => self.worker.source_of(addon).await.ok().flatten().filter(Source::follows),
                None => None,
            };
            if self.is_outgrown(instance, addon.is_some(), source.as_ref(), observed) {
                outgrown.insert(instance.id);
            }
        }
        let (mut busy, starting) = self.at_work.with(|busy| (busy.addons.clone(), busy.instances.clone()));
        busy.extend(planner::transfers::last_backups(&transfers, &addons, &seen));
        Ok(World { instances, addons, credentials, errands, seen, outgrown, busy, starting })
    }

    /// Instances that have run for a while begin anew with their next failure.
    async fn forget_failures(
        &self,
        world: &World,
        observed: &BTreeMap<InstanceId, Observation>,
    ) -> Result<()> {
        let now = self.worker.ops.now();
        for instance in world.instances.iter().filter(|one| one.failures > 0) {
            let Some(Status::Running { since, listening: true }) =
                observed.get(&instance.id).map(|one| &one.status)
            else {
                continue;
            };
            if (now - *since).total(jiff::Unit::Second).is_ok_and(|age| age > STEADY.as_secs_f64()) {
                ops::addons::instance_up(&self.worker.ops, instance.id).await?;
            }
        }
        Ok(())
    }

    async fn apply(&self, action: Action, world: &World) -> Result<()> {
        let addon = |id| world.addons.iter().find(|one| one.id == id).cloned();
        let instance = |id| world.instances.iter().find(|one| one.id == id).cloned();
        let ops = &self.worker.ops;
        match action {
            Action::Start(id) => {
                if let Some(instance) = instance(id) {
                    self.start(instance);
                }
            }
            Action::Restart(id) => {
                if let Some(instance) = instance(id) {
                    self.restart(instance);
                }
            }
            Action::Bury(id) => {
                let failures = instance(id).map_or(0, |one| one.failures);
                self.worker.bury(id, retry_at(&self.settings, failures, ops.now())).await?;
                self.collected.forget(id.0);
            }
            Action::Remove(id) => {
                self.worker.remove_instance(id).await?;
                self.collected.forget(id.0);
                ops::addons::instance_gone(ops, id).await?;
            }
            Action::Provision(id) | Action::Deprovision(id) => {
                if let Some(addon) = addon(id) {
                    let instance = addon.instance.and_then(instance);
                    self.work(addon, instance);
                }
            }
            Action::Errand(id, errand) => {
                let errand = world.errands.iter().find(|one| one.id == errand);
                if let (Some(addon), Some(errand)) = (addon(id), errand) {
                    let instance = addon.instance.and_then(instance);
                    self.run_errand(addon, instance, errand);
                }
            }
            Action::Credential(id, credential) => {
                let credential = world.credentials.iter().find(|one| one.id == credential);
                if let (Some(addon), Some(credential)) = (addon(id), credential) {
                    let instance = addon.instance.and_then(instance);
                    self.tell(addon, instance, credential.clone());
                }
            }
            Action::Fail(id) => {
                let why = addon(id).and_then(|addon| addon.failure);
                let why = why.unwrap_or_else(|| "its service does not start".into());
                ops::addons::failed(ops, id, &why).await?;
            }
            Action::Gone(id, keep) => ops::addons::gone(ops, id, keep).await?,
        }
        Ok(())
    }

    /// Starts an instance beside the loop: its image may have to be made first, which takes a while.
    fn start(&self, instance: Instance) {
        let id = instance.id;
        if !self.at_work.with(|busy| busy.instances.insert(id)) {
            return;
        }
        let (worker, settings, at_work, nudge) =
            (self.worker.clone(), self.settings, self.at_work.clone(), self.nudge.clone());
        self.children.spawn(async move {
            if let Err(error) = worker.start_instance(&instance, &at_work).await
                && !worker.shutdown.is_cancelled()
            {
                let why = chain(&error);
                tracing::error!(instance = %id, service = instance.service, why, "a service does not start");
                let retry = retry_at(&settings, instance.failures, worker.ops.now());
                let told = ops::addons::instance_failed(&worker.ops, id, &why, retry).await;
                told.unwrap_or_else(|error| {
                    tracing::error!(error = chain(&error), "a failure was not written down");
                });
            }
            at_work.with(|busy| busy.instances.remove(&id));
            nudge.now();
        });
    }

    /// Runs an add-on's hook beside the loop.
    fn work(&self, addon: Addon, instance: Option<Instance>) {
        let id = addon.id;
        if !self.at_work.with(|busy| busy.addons.insert(id)) {
            return;
        }
        let (worker, settings, at_work, nudge) =
            (self.worker.clone(), self.settings, self.at_work.clone(), self.nudge.clone());
        self.children.spawn(async move {
            if let Err(error) = worker.hook(&addon, instance.as_ref(), &at_work).await {
                let why = chain(&error);
                tracing::warn!(addon = addon.name, state = addon.state.as_str(), why, "a hook failed");
                let retry = retry_at(&settings, addon.attempts, worker.ops.now());
                let told = ops::addons::later(&worker.ops, id, &why, retry).await;
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
    /// The service of an instance or add-on, and its plan; `None` for a shared instance's.
    pub(crate) fn offer(&self, service: &str, plan: Option<&str>) -> Result<(&Definition, Option<&Offer>)> {
        let withdrawn = |what: &str| Error::Service(format!("{what} is not in the catalog any more"));
        let catalog = &self.ops.settings().catalog;
        let definition = catalog.service(service).ok_or_else(|| withdrawn(service))?;
        let Some(name) = plan else { return Ok((definition, None)) };
        let found = definition.plan(name).ok_or_else(|| withdrawn(&format!("{service}:{name}")))?;
        Ok((definition, Some(found)))
    }

    pub(crate) async fn image(&self, run: &Running) -> Result<Digest> {
        tokio::select! {
            () = self.swept.cancelled() => {}
            () = self.shutdown.cancelled() => return Err(Error::Service("the server ends".into())),
        }
        Ok(self.builder.service_image(&run.packages).await?)
    }

    /// Runs the hook that an add-on's state asks for, and writes down that it did its work.
    async fn hook(&self, addon: &Addon, instance: Option<&Instance>, at_work: &AtWork) -> Result<()> {
        let provisioning = addon.state == AddonState::Provisioning;
        let script: Script = if provisioning {
            |hooks| hooks.provision.as_deref()
        } else {
            |hooks| hooks.deprovision.as_deref()
        };
        if let Some(instance) = instance {
            let _turn = self.turns.acquire().await.map_err(|_| Error::Service("the server ends".into()))?;
            let mut tx = self.ops.store().read().await?;
            let credentials = store::credentials::of_addon(&mut tx, addon.id).await?;
            drop(tx);
            for credential in credentials {
                if let Some(spec) = self.task(addon, instance, &credential, script).await? {
                    task::run(self, spec, at_work).await?;
                }
            }
        }
        if provisioning {
            ops::addons::provisioned(&self.ops, addon.id).await?;
        } else {
            ops::addons::gone(&self.ops, addon.id, addon.state == AddonState::Failed).await?;
        }
        Ok(())
    }
}
