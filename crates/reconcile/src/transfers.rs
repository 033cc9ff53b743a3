//! Carries transfers of add-ons' data: makes backups when they are asked for or due, puts dumps into
//! add-ons, tries each new backup in a service of its own, and gives up what is not kept any more.
//!
//! A dump is on the [shelf](crate::Shelf) only once it is whole. What a killed server was in the middle of is begun again from nothing, so a hook must be able to find its work half
//! done or done.

mod hook;
mod pipe;
mod proof;
mod strays;
mod work;

use crate::driver::{Loop, Nudge, Turn};
use crate::error::{Error, Result, chain};
use crate::services;
use crate::{Settings, Shelf};
use async_trait::async_trait;
use domain::{AddonId, AddonState, InstanceId, Proof, Retention, Transfer, TransferId, TransferState};
use engine::Status;
use hook::{Stop, TRANSFER};
use jiff::Timestamp;
use ops::transfers::Ended;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use strays::Strays;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Transfers that are carried at the same time, and trials of backups.
const TRANSFERS: usize = 2;
const TRIALS: usize = 1;

/// After a trial that this machine could not make, it rests this long.
const REST: Duration = Duration::from_secs(20);

/// What does the work; cheap to clone.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) services: services::Worker,
    pub(crate) at_work: services::AtWork,
    pub(crate) settings: Arc<Settings>,
}

impl Worker {
    /// Where dumps lie.
    fn shelf(&self) -> &Shelf {
        &self.settings.shelf
    }

    /// For what is of use only as long as something is done.
    fn work(&self) -> PathBuf {
        self.shelf().dir().join("work")
    }
}

/// Something that is being done.
struct Job {
    stop: CancellationToken,
    /// Nothing else is done to these meanwhile.
    addons: Vec<AddonId>,
    trial: bool,
}

#[derive(Clone, Default)]
struct Jobs(Arc<Mutex<BTreeMap<TransferId, Job>>>);

impl Jobs {
    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<TransferId, Job>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The loop.
pub(crate) struct Transfers {
    worker: Worker,
    nudge: Nudge,
    children: TaskTracker,
    jobs: Jobs,
    /// What an earlier server left was seen to.
    recovered: bool,
    /// No trial before then.
    rest: Arc<Mutex<Option<Timestamp>>>,
    strays: Strays,
}

#[async_trait]
impl Loop for Transfers {
    fn name(&self) -> &'static str {
        "transfers"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        if !self.recovered {
            self.recover().await?;
            self.recovered = true;
        }
        let next = self.schedules().await?;
        let all = self.expire().await?;
        self.overdue(&all).await?;
        for transfer in all.iter().filter(|one| one.cancelled) {
            self.jobs.with(|jobs| jobs.get(&transfer.id).inspect(|job| job.stop.cancel()).is_some());
        }
        if !self.worker.services.shutdown.is_cancelled() {
            self.start(&all).await?;
        }
        let running = self.jobs.with(|jobs| jobs.len());
        let waiting = all.iter().filter(|one| one.state == TransferState::Pending).count();
        let rest = *self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = rest.filter(|at| *at > self.worker.services.ops.now());
        let detail = json!({ "transfers": all.len(), "waiting": waiting, "running": running });
        Ok(Turn { detail, next: next.into_iter().chain(rest).min() })
    }
}

impl Transfers {
    pub(crate) fn new(worker: Worker, nudge: Nudge, children: TaskTracker) -> Self {
        let (jobs, rest) = (Jobs::default(), Arc::default());
        Self { worker, nudge, children, jobs, recovered: false, rest, strays: Strays::default() }
    }

    /// The containers of an earlier server's hooks go before anything is begun again: two of them must
    /// never be at the same data.
    async fn recover(&self) -> Result<()> {
        let Worker { services, at_work, .. } = &self.worker;
        for one in services.engine.observe().await? {
            if one.labels.contains_key(TRANSFER) && !at_work.has(one.id) {
                services.engine.remove(one.id).await?;
            }
        }
        let prepare = async || {
            self.worker.shelf().prepare().await?;
            match tokio::fs::remove_dir_all(self.worker.work()).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        };
        prepare().await.map_err(Error::io("make the directory of backups"))?;
        Ok(ops::transfers::recover(&services.ops).await?)
    }

    /// Asks for the backups that are due, and tells when the next one is.
    async fn schedules(&self) -> Result<Option<Timestamp>> {
        let ops = &self.worker.services.ops;
        let schedules = store::transfers::schedules::list(&mut ops.store().read().await?).await?;
        let now = ops.now();
        let mut next = None::<Timestamp>;
        for schedule in schedules {
            let timezone = match ops::transfers::schedules::timezone(&schedule.timezone) {
                Ok(timezone) => timezone,
                Err(error) => {
                    tracing::error!(schedule = %schedule.id, %error, "a backup's time cannot be told");
                    continue;
                }
            };
            if let Some(slot) = planner::transfers::due(&schedule, &timezone, now) {
                ops::transfers::scheduled(ops, &schedule, slot).await?;
            }
            let at = planner::transfers::next(&schedule, &timezone, now);
            next = next.into_iter().chain(at).min();
        }
        Ok(next)
    }

    /// Gives up what is not kept, and dumps that no row knows. Returns what is left.
    async fn expire(&mut self) -> Result<Vec<Transfer>> {
        let ops = &self.worker.services.ops;
        let mut tx = ops.store().read().await?;
        let mut all = store::transfers::list(&mut tx).await?;
        let addons = store::addons::list(&mut tx).await?;
        drop(tx);
        let there = addons.iter().filter(|addon| addon.state.is_there()).map(|addon| addon.id).collect();
        let owners = Owners { ops, there };
        let expired = planner::transfers::expired(&all, &owners, ops.now());
        if !expired.is_empty() {
            ops::transfers::expire(ops, &expired).await?;
            all.retain(|one| !expired.contains(&one.id));
        }
        let known = files(all.iter().filter(|one| one.is_backup() || !one.state.is_over()));
        let left = self.worker.shelf().remove_strays(&known).await;
        self.strays.stay(&left.map_err(Error::io("remove old dumps"))?, ops.now());
        Ok(all)
    }

    /// Has people told where a schedule comes to nothing.
    async fn overdue(&self, all: &[Transfer]) -> Result<()> {
        let ops = &self.worker.services.ops;
        let mut tx = ops.store().read().await?;
        let schedules = store::transfers::schedules::list(&mut tx).await?;
        let addons = store::addons::list(&mut tx).await?;
        drop(tx);
        for schedule in schedules {
            let addon = addons.iter().find(|addon| addon.id == schedule.addon);
            let service = addon.and_then(|addon| ops.settings().catalog.service(&addon.service));
            let provable = service.is_some_and(|service| service.hooks.verify.is_some());
            if let Some(since) = planner::transfers::overdue(&schedule, all, provable, ops.now()) {
                ops::transfers::schedules::overdue(ops, schedule.id, since).await?;
            }
        }
        Ok(())
    }

    async fn start(&self, all: &[Transfer]) -> Result<()> {
        let ready = self.ready().await?;
        for transfer in all.iter().filter(|one| one.state == TransferState::Pending) {
            let addons: Vec<_> = transfer.addons().collect();
            let free = self.jobs.with(|jobs| {
                jobs.values().filter(|job| !job.trial).count() < TRANSFERS
                    && jobs.values().all(|job| job.addons.iter().all(|id| !addons.contains(id)))
            });
            // One whose add-on is gone is begun as well, to fail.
            if free && addons.iter().all(|id| ready.get(id).copied().unwrap_or(true)) {
                self.carry(transfer.id, addons);
            }
        }
        let rests = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.is_some_and(|at| at > self.worker.services.ops.now()) {
            return Ok(());
        }
        drop(rests);
        for transfer in all.iter().filter(|one| one.proof == Proof::Wanted && one.is_backup()) {
            let free = self.jobs.with(|jobs| {
                jobs.values().filter(|job| job.trial).count() < TRIALS && !jobs.contains_key(&transfer.id)
            });
            if free {
                self.prove(transfer.id);
            }
        }
        Ok(())
    }

    /// Whether the services of add-ons can be reached now.
    async fn ready(&self) -> Result<BTreeMap<AddonId, bool>> {
        let services = &self.worker.services;
        let observed = services.engine.observe().await?;
        let up: BTreeSet<_> = observed
            .iter()
            .filter(|one| matches!(one.status, Status::Running { listening: true, .. }))
            .map(|one| InstanceId(one.id))
            .collect();
        let addons = store::addons::list(&mut services.ops.store().read().await?).await?;
        let provisioned = addons.iter().filter(|addon| addon.state == AddonState::Provisioned);
        Ok(provisioned.map(|addon| (addon.id, addon.instance.is_none_or(|id| up.contains(&id)))).collect())
    }

    /// Carries a transfer beside the loop.
    fn carry(&self, id: TransferId, addons: Vec<AddonId>) {
        let stop = self.worker.services.shutdown.child_token();
        let job = Job { stop: stop.clone(), addons, trial: false };
        self.jobs.with(|jobs| jobs.insert(id, job));
        let (worker, jobs, nudge) = (self.worker.clone(), self.jobs.clone(), self.nudge.clone());
        self.children.spawn(async move {
            if let Err(error) = worker.carry(id, &stop).await {
                tracing::error!(transfer = %id, error = chain(&error), "what came of a transfer was not written down");
            }
            jobs.with(|jobs| jobs.remove(&id));
            nudge.now();
        });
    }

    /// Tries a backup beside the loop.
    fn prove(&self, id: TransferId) {
        let stop = self.worker.services.shutdown.child_token();
        let job = Job { stop: stop.clone(), addons: Vec::new(), trial: true };
        self.jobs.with(|jobs| jobs.insert(id, job));
        let (worker, jobs, nudge) = (self.worker.clone(), self.jobs.clone(), self.nudge.clone());
        let rest = self.rest.clone();
        self.children.spawn(async move {
            let again = match worker.prove(id, &stop).await {
                Ok(again) => again,
                Err(error) => {
                    tracing::error!(transfer = %id, error = chain(&error), "a backup could not be tried");
                    true
                }
            };
            if again {
                let at = worker.services.ops.now().saturating_add(REST).ok();
                *rest.lock().unwrap_or_else(PoisonError::into_inner) = at;
            }
            jobs.with(|jobs| jobs.remove(&id));
            nudge.now();
        });
    }
}

impl Worker {
    /// Carries a transfer and writes down what came of it. When the server ends, nothing is: the next one
    /// begins it again.
    async fn carry(&self, id: TransferId, stop: &CancellationToken) -> Result<()> {
        let ops = &self.services.ops;
        let Some(transfer) = ops::transfers::begun(ops, id).await? else { return Ok(()) };
        let ended = match self.run(&transfer, stop).await {
            Ok(done) => Ended::Done(done),
            Err(_) if self.services.shutdown.is_cancelled() => return Ok(()),
            Err(Stop::Asked) => Ended::Cancelled,
            Err(Stop::Failed(why)) => Ended::Failed(why),
            Err(Stop::Machine(error)) => {
                tracing::error!(transfer = %id, error = chain(&error), "a transfer failed");
                Ended::Failed(format!("this server could not do it: {}", chain(&error)))
            }
        };
        Ok(ops::transfers::finished(ops, id, ended).await?)
    }
}

/// How the catalog and the rows say that backups are kept.
struct Owners<'a> {
    ops: &'a ops::Ops,
    there: BTreeSet<AddonId>,
}

impl planner::transfers::Owners for Owners<'_> {
    fn retention(&self, transfer: &Transfer) -> Retention {
        let service = self.ops.settings().catalog.service(&transfer.service);
        service.and_then(|one| one.plan(&transfer.plan)).map(|plan| plan.backups).unwrap_or_default()
    }

    fn is_there(&self, addon: Option<AddonId>) -> bool {
        addon.is_some_and(|id| self.there.contains(&id))
    }
}

/// Names of files that belong to transfers.
fn files<'a>(transfers: impl Iterator<Item = &'a Transfer>) -> HashSet<String> {
    let names = transfers.flat_map(|one| {
        let part = (!one.state.is_over()).then(|| format!("{}.part", one.id));
        part.into_iter().chain([one.id.to_string()])
    });
    names.collect()
}
