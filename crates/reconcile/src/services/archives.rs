//! Keeps the past of services whose plans have it.
//!
//! An archive is `archives/<instance>` of the data directory, which the service writes its changes into and the
//! hook `archive` whole copies of its data. What both say about it with files: `failing` holds why changes cannot
//! be kept at the moment, `gap` is there when some were given up.

use super::errands::Script;
use super::samples::ready_instance;
use super::{AtWork, Worker, spec, task};
use crate::driver::{Loop, Nudge, Turn};
use crate::error::{Error, Result, chain};
use addons::Plan as Offer;
use async_trait::async_trait;
use domain::{Addon, AddonId, AddonState, Archive, Credential, Instance, InstanceId, OriginKind};
use engine::{ContainerSpec, Mount};
use jiff::Timestamp;
use ops::addons::archives::{self, Taken};
use planner::addons::retry_at;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Where a service finds its archive.
const ARCHIVE: &str = "/archive";
/// Copies that are made at the same time.
const COPIES: usize = 2;
/// The longest that one may take.
const TIME_LIMIT: Duration = Duration::from_hours(12);
/// Lines of the hook's that are looked at.
const LINES: usize = 20;
/// Bytes of a reason that are told.
const REASON: u64 = 300;

/// The loop.
pub(crate) struct Archives {
    pub(crate) worker: Worker,
    pub(crate) settings: planner::archives::Settings,
    /// How patient one is with hooks.
    pub(crate) patience: planner::addons::Settings,
    pub(crate) nudge: Nudge,
    pub(crate) children: TaskTracker,
    pub(crate) at_work: AtWork,
    pub(crate) copying: Copying,
}

/// Add-ons of which copies are being made.
#[derive(Clone, Default)]
pub(crate) struct Copying(Arc<Mutex<BTreeSet<AddonId>>>);

impl Copying {
    fn with<T>(&self, look: impl FnOnce(&mut BTreeSet<AddonId>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Loop for Archives {
    fn name(&self) -> &'static str {
        "archives"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let (mut next, mut failing) = (None::<Timestamp>, 0);
        let kept = self.kept().await?;
        for (addon, instance) in &kept {
            let path = self.worker.archive(instance.id);
            let signs = match Signs::read(&path) {
                Ok(signs) => signs,
                Err(error) => {
                    // What fails for one must not stop the others.
                    tracing::error!(addon = addon.name, %error, "an archive cannot be looked at");
                    failing += 1;
                    continue;
                }
            };
            failing += usize::from(signs.failing.is_some());
            let archive = self.note(addon.id, &signs).await?;
            let now = self.worker.ops.now();
            let due = planner::archives::due(&self.settings, &archive, signs.gap, now);
            if due > now {
                next = next.into_iter().chain([due]).min();
            } else if !self.worker.shutdown.is_cancelled() {
                self.copy(addon.clone(), instance.clone(), &archive);
            }
        }
        let copying = self.copying.with(|copying| copying.len());
        let detail = json!({ "archives": kept.len(), "failing": failing, "copying": copying });
        Ok(Turn { detail, next })
    }
}

impl Archives {
    /// Add-ons that can be copied now, with where they live.
    async fn kept(&self) -> Result<Vec<(Addon, Instance)>> {
        let observed = self.worker.engine.observe().await?;
        let ready: BTreeSet<InstanceId> = observed.iter().filter_map(ready_instance).collect();
        let mut tx = self.worker.ops.store().read().await?;
        let instances: HashMap<_, _> =
            store::instances::list(&mut tx).await?.into_iter().map(|one| (one.id, one)).collect();
        let mut addons = store::addons::list(&mut tx).await?;
        let origins = store::origins::list(&mut tx).await?;
        drop(tx);
        let follows = |id| origins.iter().any(|one| one.addon == id && one.kind == OriginKind::Follow);
        addons.retain(|addon| addon.state == AddonState::Provisioned && !follows(addon.id));
        let archived = |addon: &Addon| {
            let offer = self.worker.offer(&addon.service, Some(&addon.plan));
            offer.is_ok_and(|(_, offer)| offer.is_some_and(Offer::archives))
        };
        let placed = addons.into_iter().filter(archived).filter_map(|addon| {
            let instance = instances.get(&addon.instance.filter(|id| ready.contains(id))?)?;
            Some((addon, instance.clone()))
        });
        Ok(placed.collect())
    }

    /// Writes down what is new about an archive, and tells what is known of it then.
    async fn note(&self, id: AddonId, signs: &Signs) -> Result<Archive> {
        let ops = &self.worker.ops;
        let known = self.known(id).await?;
        let torn = signs.gap && known.taken_at.is_some();
        if torn {
            archives::torn(ops, id).await?;
        }
        let differs = signs.failing.is_some() != known.failure.is_some();
        if differs {
            archives::failing(ops, id, signs.failing.as_deref()).await?;
        }
        if torn || differs { self.known(id).await } else { Ok(known) }
    }

    async fn known(&self, id: AddonId) -> Result<Archive> {
        let mut tx = self.worker.ops.store().read().await?;
        Ok(store::archives::of_addon(&mut tx, id).await?.unwrap_or_else(|| Archive::new(id)))
    }

    /// Makes a copy beside the loop.
    fn copy(&self, addon: Addon, instance: Instance, archive: &Archive) {
        let (id, attempts) = (addon.id, archive.attempts);
        let begins = self.copying.with(|copying| copying.len() < COPIES && copying.insert(id));
        if !begins {
            return;
        }
        let (worker, at_work, nudge) = (self.worker.clone(), self.at_work.clone(), self.nudge.clone());
        let (copying, patience) = (self.copying.clone(), self.patience);
        self.children.spawn(async move {
            let made = tokio::select! {
                // Its container is cleared away by the next server, which begins it again.
                () = worker.shutdown.cancelled() => None,
                made = worker.copy(&addon, &instance, &at_work) => Some(made),
            };
            let written = match made {
                None => Ok(()),
                Some(Ok(taken)) => archives::taken(&worker.ops, id, taken).await,
                Some(Err(error)) => {
                    let why = chain(&error);
                    tracing::warn!(addon = addon.name, why, "a base backup was not made");
                    let retry = retry_at(&patience, attempts.saturating_add(2), worker.ops.now());
                    archives::not_taken(&worker.ops, id, &why, retry).await
                }
            };
            if let Err(error) = written {
                tracing::error!(error = chain(&error), "what came of a base backup was not written down");
            }
            copying.with(|copying| copying.remove(&id));
            nudge.now();
        });
    }
}

impl Worker {
    /// Where a service's past is kept.
    pub(super) fn archive(&self, id: InstanceId) -> PathBuf {
        self.data.join("archives").join(id.to_string())
    }

    /// Gives a container the place where the past of an instance is kept.
    pub(super) fn lend_archive(&self, id: InstanceId, offer: &Offer, spec: &mut ContainerSpec) -> Result<()> {
        let path = self.archive(id);
        spec::own_directory(&path).map_err(Error::io("make the directory of an archive"))?;
        spec.mounts.push(Mount { source: path, target: ARCHIVE.into(), read_only: false });
        let told = [("archive", offer.archive), ("rollback", offer.rollback)];
        spec.env.extend(told.map(|(name, value)| (spec::variable(name), value.to_string())));
        Ok(())
    }

    /// Runs the hook that makes a whole copy.
    async fn copy(&self, addon: &Addon, instance: &Instance, at_work: &AtWork) -> Result<Taken> {
        let script: Script = |hooks| hooks.archive.as_deref();
        let mut tx = self.ops.store().read().await?;
        let credential = store::credentials::by_name(&mut tx, addon.id, Credential::DEFAULT).await?;
        drop(tx);
        let missing = || Error::Service("its service does not know how to make a base backup".into());
        let credential = credential.ok_or_else(missing)?;
        let mut spec = self.task(addon, instance, &credential, script).await?.ok_or_else(missing)?;
        let (_, offer) = self.offer(&addon.service, Some(&addon.plan))?;
        self.lend_archive(instance.id, offer.ok_or_else(missing)?, &mut spec)?;
        spec.time_limit = Some(TIME_LIMIT);
        let printed = task::ask(self, spec, at_work, LINES).await?;
        parse(&printed).ok_or_else(|| Error::Service("its hook did not tell what it made".into()))
    }
}

/// What a service says with files in its archive.
#[derive(Debug, PartialEq, Eq)]
struct Signs {
    failing: Option<String>,
    gap: bool,
}

impl Signs {
    fn read(path: &Path) -> io::Result<Self> {
        let failing = match std::fs::File::open(path.join("failing")) {
            Ok(file) => {
                let mut text = Vec::new();
                file.take(REASON).read_to_end(&mut text)?;
                let text = String::from_utf8_lossy(&text);
                let line = text.lines().next().map(str::trim).filter(|line| !line.is_empty());
                Some(line.unwrap_or("no reason was given").to_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self { failing, gap: path.join("gap").exists() })
    }
}

/// Takes apart `taken=1764100000`, `earliest=…`, `bytes=…`.
fn parse(lines: &[String]) -> Option<Taken> {
    let get = |name: &str| {
        let found = lines.iter().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        found?.parse::<i64>().ok()
    };
    Some(Taken {
        taken_at: Timestamp::from_second(get("taken")?).ok()?,
        earliest: Timestamp::from_second(get("earliest")?).ok()?,
        bytes: u64::try_from(get("bytes")?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hook_tells_is_read() {
        let lines = ["NOTICE: x", "taken=20", "earliest=10", "bytes=5"].map(str::to_owned);
        let at = |second| Timestamp::from_second(second).expect("a time");
        assert_eq!(parse(&lines), Some(Taken { taken_at: at(20), earliest: at(10), bytes: 5 }));
        assert_eq!(parse(&lines[..3]), None);
    }

    #[test]
    fn signs_are_files() {
        let path = tempfile::tempdir().expect("a directory");
        assert_eq!(Signs::read(path.path()).expect("signs"), Signs { failing: None, gap: false });
        std::fs::write(path.path().join("failing"), "full\nmore").expect("a file");
        std::fs::write(path.path().join("gap"), "").expect("a file");
        let signs = Signs::read(path.path()).expect("signs");
        assert_eq!(signs, Signs { failing: Some("full".into()), gap: true });
    }
}
