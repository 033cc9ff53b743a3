//! The places of a formation (`web.1`, `web.2`, `worker.1`): who holds each and who has to go.

use super::rules::{Settings, after_crash, cycle_at, later, passed};
use super::{
    Action, AppWish, Change, Container, Draining, Launch, LaunchReason, Planner, Reason, StopReason,
    TypeWish, Wait, by_app,
};
use domain::{AppId, Dyno, DynoKind, DynoName, DynoState, ProcessType, ReleaseId};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the dynos of one process type are to be like.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    wish: &'a TypeWish,
    release: ReleaseId,
}

/// What an app wants of a process type; `None` if nothing.
pub(super) fn wanted<'a>(wish: &'a AppWish, process_type: &ProcessType) -> Option<Wanted<'a>> {
    let release = wish.release?;
    let wish = wish.formation.iter().find(|wish| wish.process_type == *process_type)?;
    Some(Wanted { wish, release })
}

/// One place with its dynos, without those that were told to stop for good.
pub(super) struct Place<'a> {
    number: u32,
    /// What its dyno is to be like; `None` if the place is not wanted.
    wanted: Option<Wanted<'a>>,
    /// The dyno that is as wanted, dead or alive.
    holder: Option<&'a Dyno>,
    /// All others.
    rest: Vec<&'a Dyno>,
}

impl Place<'_> {
    fn holder_is(&self, state: DynoState) -> bool {
        self.holder.is_some_and(|holder| holder.state == state)
    }

    fn serves(&self) -> bool {
        self.holder.iter().chain(&self.rest).any(|dyno| dyno.state == DynoState::Up)
    }
}

/// Sorts the dynos of one process type by place, lowest number first; includes wanted places that
/// are empty.
pub(super) fn places<'a>(
    wanted: Option<Wanted<'a>>,
    dynos: &[&'a Dyno],
    now: Timestamp,
    settings: &Settings,
) -> Vec<Place<'a>> {
    let quantity = wanted.map_or(0, |wanted| wanted.wish.quantity);
    let mut numbers: BTreeMap<u32, Vec<&Dyno>> = (1..=quantity).map(|number| (number, Vec::new())).collect();
    for dyno in dynos.iter().filter(|dyno| dyno.state != DynoState::Down) {
        numbers.entry(dyno.name.number).or_default().push(dyno);
    }
    let place = |(number, dynos): (u32, Vec<&'a Dyno>)| {
        let wanted = wanted.filter(|_| (1..=quantity).contains(&number));
        let holder = wanted.and_then(|wanted| {
            let fresh = dynos.iter().filter(|dyno| misfit(wanted, dyno, now, settings).is_none());
            // Alive before crashed, up before starting, then the newest.
            fresh.copied().max_by_key(|dyno| (rank(dyno.state), dyno.created_at, dyno.id))
        });
        let rest =
            dynos.into_iter().filter(|dyno| holder.is_none_or(|holder| holder.id != dyno.id)).collect();
        Place { number, wanted, holder, rest }
    };
    numbers.into_iter().map(place).collect()
}

fn rank(state: DynoState) -> u8 {
    match state {
        DynoState::Up => 2,
        DynoState::Starting | DynoState::Idle => 1,
        DynoState::Crashed | DynoState::Down | DynoState::Complete => 0,
    }
}

/// Why a dyno is not as wanted; `None` if it is.
fn misfit(wanted: Wanted<'_>, dyno: &Dyno, now: Timestamp, settings: &Settings) -> Option<LaunchReason> {
    if dyno.release != wanted.release {
        Some(LaunchReason::Release)
    } else if dyno.size != wanted.wish.size {
        Some(LaunchReason::Resize)
    } else if dyno.stop_requested_at.is_some() {
        Some(LaunchReason::Restart)
    } else if cycle_at(settings, dyno).is_some_and(|at| at <= now) {
        Some(LaunchReason::Cycling)
    } else {
        None
    }
}

/// Those web dynos that are up and are to leave the routes.
pub(super) fn retired<'p>(places: &'p [Place<'p>]) -> impl Iterator<Item = &'p Dyno> {
    let wanted = places.iter().any(|place| place.wanted.is_some());
    let served = places.iter().any(|place| place.wanted.is_some() && place.serves());
    places.iter().flat_map(move |place| {
        let leave = match place.wanted {
            Some(_) => place.holder_is(DynoState::Up),
            None => served || !wanted,
        };
        place.rest.iter().copied().filter(move |dyno| leave && dyno.state == DynoState::Up)
    })
}

/// A launch that may have to wait for others, and whether its process type has a dyno up.
struct Candidate {
    launch: Launch,
    covered: bool,
    /// Dynos to be stopped once it is on its way.
    then_stop: Vec<Action>,
    /// One of those is still starting, and makes room.
    makes_room: bool,
}

impl Planner<'_> {
    /// Brings the row of a formation's dyno up to what its container shows.
    pub(super) fn formation_dyno(&mut self, dyno: &Dyno, container: Option<&Container>) {
        match (dyno.state, container) {
            (DynoState::Down, Some(Container::Exited { since, at, exit })) if dyno.exit_status.is_none() => {
                let change =
                    Change::Ended { since: *since, at: *at, exit: exit.clone(), state: DynoState::Down };
                self.act(Action::Record(dyno.id, change));
            }
            (DynoState::Down, None | Some(Container::Exited { .. })) => {
                self.clear_away(dyno, container, None);
            }
            (DynoState::Down, Some(_)) => self.wait(dyno, Reason::Stopping),
            // Its row goes when the place is filled or not wanted; see below.
            (DynoState::Crashed, Some(Container::Exited { .. })) => self.clear_away(dyno, container, None),
            (DynoState::Crashed | DynoState::Complete, _) => {}
            (_, Some(Container::Exited { since, at, exit })) => {
                let (crashes, retry_at) = after_crash(self.settings, dyno.crashes, *since, *at);
                let change =
                    Change::Crashed { since: *since, at: *at, exit: exit.clone(), crashes, retry_at };
                self.act(Action::Record(dyno.id, change));
            }
            (DynoState::Starting, None) if dyno.stopping_since.is_none() => self.act(Action::Start(dyno.id)),
            (_, None) => {
                let change = Change::Lost { state: DynoState::Crashed, retry_at: Some(self.now) };
                self.act(Action::Record(dyno.id, change));
            }
            (DynoState::Starting, Some(Container::Running { since, listening })) => {
                self.booting(dyno, *since, *listening);
            }
            (DynoState::Starting, Some(_)) => self.wait(dyno, Reason::Booting),
            (DynoState::Up | DynoState::Idle, Some(_)) => {
                if let Some(at) = cycle_at(self.settings, dyno).filter(|at| *at > self.now) {
                    self.wake(at);
                }
            }
        }
    }

    fn booting(&mut self, dyno: &Dyno, since: Timestamp, listening: bool) {
        let deadline = later(since, self.settings.boot_timeout);
        if dyno.stopping_since.is_some() {
            self.wait(dyno, Reason::Stopping);
        } else if listening || !dyno.name.process_type.is_web() {
            self.act(Action::Record(dyno.id, Change::Up { since }));
        } else if deadline <= self.now {
            self.act(Action::Stop { dyno: dyno.id, grace: Duration::ZERO, why: StopReason::BootTimeout });
        } else {
            self.wake(deadline);
            self.wait(dyno, Reason::Booting);
        }
    }

    /// Compares each app's formation with its dynos.
    pub(super) fn formations(&mut self) {
        let apps = by_app(&self.observed.dynos);
        let ids: BTreeSet<AppId> = self.desired.apps.keys().chain(apps.keys()).copied().collect();
        let mut candidates = Vec::new();
        for id in ids {
            let dynos = apps.get(&id).map(Vec::as_slice).unwrap_or_default();
            let wish = self.desired.apps.get(&id);
            let wished = wish.iter().flat_map(|wish| &wish.formation).map(|wish| &wish.process_type);
            let types: BTreeSet<_> = wished.chain(dynos.iter().map(|dyno| &dyno.name.process_type)).collect();
            for process_type in types {
                let own: Vec<_> =
                    dynos.iter().copied().filter(|dyno| dyno.name.process_type == *process_type).collect();
                let wanted = wish.and_then(|wish| wanted(wish, process_type));
                let places = places(wanted, &own, self.now, self.settings);
                self.formation(id, process_type, &places, &mut candidates);
            }
        }
        self.launch(candidates);
    }

    fn formation(
        &mut self,
        app: AppId,
        process_type: &ProcessType,
        places: &[Place<'_>],
        candidates: &mut Vec<Candidate>,
    ) {
        let covered = places.iter().any(Place::serves);
        let web = process_type.is_web();
        let retired: BTreeSet<_> =
            if web { retired(places).map(|dyno| dyno.id).collect() } else { BTreeSet::new() };
        // Highest numbers first: they go first when the formation shrinks.
        for place in places.iter().rev() {
            let name = DynoName::new(process_type.clone(), place.number);
            let launch = self.launch_for(app, &name, place);
            let mut stops = Vec::new();
            for dyno in &place.rest {
                let stop = match dyno.state {
                    DynoState::Up if web => {
                        self.leave(dyno, retired.contains(&dyno.id), place.wanted.is_some())
                    }
                    // Needs the next dyno of its place to be there or on its way.
                    DynoState::Crashed | DynoState::Complete => {
                        if place.holder.is_some() || place.wanted.is_none() {
                            self.forget_crashed(dyno);
                        }
                        false
                    }
                    _ => true,
                };
                if stop && dyno.stopping_since.is_none() {
                    let scaled_down = place.wanted.is_none();
                    let why = if scaled_down { StopReason::ScaledDown } else { StopReason::Replaced };
                    stops.push(Action::Stop { dyno: dyno.id, grace: self.settings.grace, why });
                }
            }
            match launch {
                // Without its successor on the way nothing is stopped that works.
                Some(launch) => {
                    let makes_room = place.rest.iter().any(|dyno| counts_as_starting(dyno));
                    candidates.push(Candidate { launch, covered, then_stop: stops, makes_room });
                }
                None => self.plan.actions.extend(stops),
            }
        }
    }

    /// What has to be launched for a place, if anything.
    fn launch_for(&mut self, app: AppId, name: &DynoName, place: &Place<'_>) -> Option<Launch> {
        let wanted = place.wanted?;
        let launch = |crashes, why| Launch {
            app,
            name: name.clone(),
            release: wanted.release,
            size: wanted.wish.size,
            command: wanted.wish.command.clone(),
            crashes,
            why,
        };
        match place.holder {
            None => {
                let newest = place.rest.iter().max_by_key(|dyno| (dyno.created_at, dyno.id));
                let why = newest.and_then(|dyno| misfit(wanted, dyno, self.now, self.settings));
                Some(launch(0, why.unwrap_or(LaunchReason::Missing)))
            }
            Some(holder) if holder.state == DynoState::Crashed => {
                let until = holder.retry_at.unwrap_or(self.now);
                if until <= self.now {
                    return Some(launch(holder.crashes, LaunchReason::Crash));
                }
                self.wake(until);
                self.wait(holder, Reason::BackOff { until });
                None
            }
            Some(_) => None,
        }
    }

    /// Whether a web dyno that is up and not as wanted can be told to stop now.
    fn leave(&mut self, dyno: &Dyno, retired: bool, wanted: bool) -> bool {
        if !retired {
            let reason = if wanted { Reason::ServesUntilReplaced } else { Reason::LastServing };
            self.wait(dyno, reason);
            return false;
        }
        let Some(Draining { since, in_flight }) = self.observed.draining.get(&dyno.id).copied() else {
            self.act(Action::Retire(dyno.id));
            return false;
        };
        let gone = passed(since, self.now);
        if gone >= self.settings.drain || (gone >= self.settings.settle && in_flight == 0) {
            return true;
        }
        let bound = if in_flight == 0 { self.settings.settle } else { self.settings.drain };
        self.wake(later(since, bound));
        self.wait(dyno, Reason::Draining { in_flight });
        false
    }

    fn forget_crashed(&mut self, dyno: &Dyno) {
        if !self.observed.containers.contains_key(&dyno.id) {
            self.act(Action::Forget(dyno.id));
        }
    }

    /// Launches as many as may start at once: process types without any dyno first, then in turn.
    fn launch(&mut self, mut candidates: Vec<Candidate>) {
        let starting = self.observed.dynos.iter().filter(|dyno| counts_as_starting(dyno)).count();
        let mut free = self.settings.max_starting.saturating_sub(starting);
        candidates.sort_by_key(|candidate| (Reverse(!candidate.covered), candidate.launch.name.number));
        for candidate in candidates {
            if free == 0 && !candidate.makes_room {
                let Launch { app, name, .. } = candidate.launch;
                self.plan.waits.push(Wait { app, name, reason: Reason::Capacity });
                continue;
            }
            free = free.saturating_sub(usize::from(!candidate.makes_room));
            self.act(Action::Launch(candidate.launch));
            self.plan.actions.extend(candidate.then_stop);
        }
    }
}

/// Whether a dyno takes one of the places for those that start at once.
fn counts_as_starting(dyno: &Dyno) -> bool {
    dyno.kind == DynoKind::Formation && dyno.state == DynoState::Starting && dyno.stopping_since.is_none()
}
