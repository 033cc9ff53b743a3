//! Which dynos are to be started, stopped and cleared away.
//!
//! The rules are Heroku's (Dev Center: dynos and the dyno manager, error codes), with one
//! exception: a web dyno that is replaced keeps serving until its successor listens, and is told to
//! stop only when its last request is answered. A release whose web dynos never come up therefore
//! takes nothing away.

mod one_off;
mod place;
mod rules;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use rules::{Settings, after_crash};

use domain::{AppId, Dyno, DynoId, DynoKind, DynoName, DynoSize, DynoState, ProcessType, ReleaseId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// What users wish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    pub apps: BTreeMap<AppId, AppWish>,
    /// Releases whose command has not ended: the outcome of its dyno is still needed.
    pub pending_releases: BTreeSet<ReleaseId>,
    /// Dynos of setups and of the scheduler whose end was not written down: their outcome is still needed.
    pub awaited: BTreeSet<DynoId>,
}

/// What one app is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppWish {
    /// The current release, if it has something to run.
    pub release: Option<ReleaseId>,
    pub formation: Vec<TypeWish>,
}

/// One process type of a formation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeWish {
    pub process_type: ProcessType,
    pub command: String,
    pub quantity: u32,
    pub size: DynoSize,
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    pub dynos: Vec<Dyno>,
    /// The containers that carry dynos, with and without a row.
    pub containers: BTreeMap<DynoId, Container>,
    /// Web dynos that have left the routes; filled by whoever applies [`Action::Retire`].
    pub draining: BTreeMap<DynoId, Draining>,
    /// Containers whose whole output is kept elsewhere.
    pub collected: BTreeSet<DynoId>,
    /// Containers without a row that were told to stop.
    pub told: BTreeSet<DynoId>,
}

/// A dyno that gets no new requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draining {
    pub since: Timestamp,
    /// Requests that it still answers.
    pub in_flight: usize,
}

/// The state of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Container {
    Creating,
    /// Ready, and waits for its client.
    Awaiting {
        since: Timestamp,
    },
    Running {
        since: Timestamp,
        /// Something accepts connections on `$PORT`.
        listening: bool,
    },
    Exited {
        /// When it was launched, if it ever was.
        since: Option<Timestamp>,
        at: Timestamp,
        exit: Exit,
    },
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// As a shell reports it.
    pub code: i32,
    pub out_of_memory: bool,
    /// Its lifetime was over.
    pub timed_out: bool,
    /// Killed after the grace period.
    pub killed: bool,
    /// Never launched, and why.
    pub failure: Option<String>,
}

/// What is to be done, in this order, and what waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub actions: Vec<Action>,
    pub waits: Vec<Wait>,
    /// When to plan again even if nothing happens until then.
    pub next: Option<Timestamp>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Add a row for a new dyno of the formation, then start its container.
    Launch(Launch),
    /// Start the container of a row that has none yet.
    Start(DynoId),
    /// Write down what was seen.
    Record(DynoId, Change),
    /// Take a web dyno out of the routes and note the time.
    Retire(DynoId),
    /// SIGTERM, and SIGKILL after the grace period; then write that down.
    Stop { dyno: DynoId, grace: Duration, why: StopReason },
    /// Free the container of a dyno that has ended; its row stays.
    Clean(DynoId),
    /// Delete the row of a dyno that is over; it has no container any more.
    Forget(DynoId),
    /// Stop a container that has no row.
    StopStray(DynoId),
}

/// A new dyno of the formation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    pub app: AppId,
    pub name: DynoName,
    pub release: ReleaseId,
    pub size: DynoSize,
    pub command: String,
    /// Carried over from the dyno whose place it takes after a crash.
    pub crashes: u32,
    pub why: LaunchReason,
}

/// Why a dyno is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchReason {
    /// Its place is empty.
    Missing,
    /// Replaces one of an earlier release.
    Release,
    /// Replaces one of another size.
    Resize,
    /// Replaces one that a user wants restarted.
    Restart,
    /// Replaces one that has run for a day.
    Cycling,
    /// Takes the place of one that crashed.
    Crash,
}

/// What is to be written into a dyno's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It runs, and listens if it is a web dyno.
    Up { since: Timestamp },
    /// A dyno of the formation ended without being told to.
    Crashed { since: Option<Timestamp>, at: Timestamp, exit: Exit, crashes: u32, retry_at: Timestamp },
    /// A dyno that was to end, or a one-off, has ended.
    Ended { since: Option<Timestamp>, at: Timestamp, exit: Exit, state: DynoState },
    /// Its container is not there any more, and nobody knows how it ended.
    Lost { state: DynoState, retry_at: Option<Timestamp> },
}

/// Why a dyno is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Another dyno has its place.
    Replaced,
    /// Its place is not wanted any more.
    ScaledDown,
    /// A user stopped a one-off.
    Requested,
    /// R10.
    BootTimeout,
    /// R13.
    AttachTimeout,
}

/// Something that is left alone for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub app: AppId,
    pub name: DynoName,
    pub reason: Reason,
}

/// Why it is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too many dynos are starting already.
    Capacity,
    /// Crashed too often to be started at once.
    BackOff { until: Timestamp },
    /// Launched, does not listen yet.
    Booting,
    /// Serves until its successor does.
    ServesUntilReplaced,
    /// Not wanted, but nobody else serves.
    LastServing,
    /// Answers its last requests.
    Draining { in_flight: usize },
    /// Was told to stop.
    Stopping,
    /// Its client has not come yet.
    AwaitingClient,
    /// Its last output is still being taken over.
    CollectingOutput,
    /// The end of the release command has not been recorded in the release.
    ReleasePending,
    /// Its end has not been recorded by who waits for it: a setup, the scheduler.
    Awaited,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity => f.write_str("too many other dynos are starting"),
            Self::BackOff { until } => write!(f, "crashed again and again; next start at {until}"),
            Self::Booting => f.write_str("does not listen yet"),
            Self::ServesUntilReplaced => f.write_str("serves until its successor is up"),
            Self::LastServing => f.write_str("not wanted any more, but no other web dyno is up"),
            Self::Draining { in_flight } => write!(f, "answers its last {in_flight} requests"),
            Self::Stopping => f.write_str("was told to stop"),
            Self::AwaitingClient => f.write_str("waits for its client"),
            Self::CollectingOutput => f.write_str("its last output is being taken over"),
            Self::Awaited => f.write_str("its outcome is being recorded"),
            Self::ReleasePending => f.write_str("the outcome of the release command is being recorded"),
        }
    }
}

/// Decides.
pub fn plan(desired: &Desired, observed: &Observed, now: Timestamp, settings: &Settings) -> Plan {
    let mut planner = Planner::new(desired, observed, now, settings);
    planner.existing();
    planner.formations();
    planner.strays();
    planner.plan
}

/// The web dynos that are up but are to get no new requests: replaced by one that is up, or not
/// wanted while another serves. The route table and the plan follow the same answer.
pub fn retired(desired: &Desired, dynos: &[Dyno], now: Timestamp, settings: &Settings) -> BTreeSet<DynoId> {
    let mut retired = BTreeSet::new();
    for (app, dynos) in by_app(dynos) {
        let wish = desired.apps.get(&app);
        let web: Vec<_> = dynos.into_iter().filter(|dyno| dyno.name.process_type.is_web()).collect();
        let wanted = wish.and_then(|wish| place::wanted(wish, &ProcessType::web()));
        let places = place::places(wanted, &web, now, settings);
        retired.extend(place::retired(&places).map(|dyno| dyno.id));
    }
    retired
}

/// The formation's dynos of each app.
fn by_app(dynos: &[Dyno]) -> BTreeMap<AppId, Vec<&Dyno>> {
    let mut apps: BTreeMap<AppId, Vec<&Dyno>> = BTreeMap::new();
    for dyno in dynos.iter().filter(|dyno| dyno.kind == DynoKind::Formation) {
        apps.entry(dyno.app).or_default().push(dyno);
    }
    apps
}

/// The plan in the making.
struct Planner<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    now: Timestamp,
    settings: &'a Settings,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(desired: &'a Desired, observed: &'a Observed, now: Timestamp, settings: &'a Settings) -> Self {
        Self { desired, observed, now, settings, plan: Plan::default() }
    }

    fn act(&mut self, action: Action) {
        self.plan.actions.push(action);
    }

    fn wait(&mut self, dyno: &Dyno, reason: Reason) {
        self.plan.waits.push(Wait { app: dyno.app, name: dyno.name.clone(), reason });
    }

    /// Plans again then at the latest.
    fn wake(&mut self, at: Timestamp) {
        self.plan.next = Some(self.plan.next.map_or(at, |next| next.min(at)));
    }

    /// Brings every row up to what its container shows, whatever is wished.
    fn existing(&mut self) {
        for dyno in &self.observed.dynos {
            let container = self.observed.containers.get(&dyno.id);
            match dyno.kind {
                DynoKind::Formation => self.formation_dyno(dyno, container),
                DynoKind::OneOff | DynoKind::Release => self.one_off(dyno, container),
            }
        }
    }

    /// Clears away what an ended dyno leaves: its container once the output is safe, its row once
    /// nobody needs it. `needed` says that somebody still does.
    fn clear_away(&mut self, dyno: &Dyno, container: Option<&Container>, needed: Option<Reason>) {
        match container {
            Some(Container::Exited { .. }) if self.observed.collected.contains(&dyno.id) => {
                self.act(Action::Clean(dyno.id));
            }
            Some(_) => self.wait(dyno, Reason::CollectingOutput),
            None => match needed {
                Some(reason) => self.wait(dyno, reason),
                None => self.act(Action::Forget(dyno.id)),
            },
        }
    }

    /// Containers without a row: their app was destroyed.
    fn strays(&mut self) {
        let rows: BTreeSet<_> = self.observed.dynos.iter().map(|dyno| dyno.id).collect();
        for (id, container) in &self.observed.containers {
            if rows.contains(id) {
                continue;
            }
            match container {
                Container::Exited { .. } => self.act(Action::Clean(*id)),
                _ if self.observed.told.contains(id) => {}
                _ => self.act(Action::StopStray(*id)),
            }
        }
    }
}
