//! Short cases: what is wished, what is there, what is to be done.

use super::*;
use DynoState::{Complete, Crashed, Down, Idle, Starting, Up};
use uuid::Uuid;

const APP: AppId = AppId(Uuid::from_u128(1));
/// Seconds since the beginning at which every case is planned.
const NOW: i64 = 1_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn release(version: u128) -> ReleaseId {
    ReleaseId(Uuid::from_u128(version))
}

/// A dyno of release `version`, made and launched a minute ago, as `name` and `version` say; its id
/// is its version and number.
fn dyno(name: &str, version: u128, state: DynoState) -> Dyno {
    let name: DynoName = name.parse().unwrap();
    let id = version * 1000 + u128::from(name.number) + if name.process_type.is_web() { 0 } else { 100 };
    let kind = match name.process_type.as_str() {
        "run" | "postdeploy" => DynoKind::OneOff,
        "release" => DynoKind::Release,
        _ => DynoKind::Formation,
    };
    let made = at(NOW - 60 + version as i64);
    Dyno {
        id: DynoId(Uuid::from_u128(id)),
        app: APP,
        name,
        kind,
        size: DynoSize::Basic,
        release: release(version),
        command: "run".into(),
        state,
        env: BTreeMap::new(),
        image_type: None,
        attach_key: None,
        no_tty: false,
        user: None,
        time_limit: None,
        port: None,
        address: None,
        crashes: 0,
        retry_at: None,
        stop_requested_at: None,
        stopping_since: (state == Down).then_some(made),
        exit_status: None,
        started_at: (state == Up).then_some(made),
        state_changed_at: made,
        created_at: made,
        updated_at: made,
    }
}

fn running(seconds_ago: i64, listening: bool) -> Container {
    Container::Running { since: at(NOW - seconds_ago), listening }
}

fn exited(code: i32) -> Container {
    Container::Exited { since: Some(at(NOW - 30)), at: at(NOW - 1), exit: Exit { code, ..Exit::default() } }
}

/// A case in the making.
#[derive(Default)]
struct Case {
    desired: Desired,
    observed: Observed,
    settings: Settings,
}

/// Wishes `formation` (`web=2 worker=1`) of release `version`.
fn wish(version: u128, formation: &str) -> Case {
    let formation = formation.split_whitespace().map(|word| {
        let (process_type, quantity) = word.split_once('=').unwrap();
        TypeWish {
            process_type: process_type.parse().unwrap(),
            command: "run".into(),
            quantity: quantity.parse().unwrap(),
            size: DynoSize::Basic,
        }
    });
    let wish = AppWish { release: Some(release(version)), formation: formation.collect() };
    Case { desired: Desired { apps: [(APP, wish)].into(), ..Desired::default() }, ..Case::default() }
}

impl Case {
    /// Adds a dyno with a container that fits its state.
    fn has(self, dyno: Dyno) -> Self {
        let container = match dyno.state {
            Starting => running(10, false),
            Up | Idle | Down => running(60, true),
            Crashed | Complete => return self.row(dyno),
        };
        self.seen(dyno, container)
    }

    fn row(mut self, dyno: Dyno) -> Self {
        self.observed.dynos.push(dyno);
        self
    }

    fn seen(mut self, dyno: Dyno, container: Container) -> Self {
        self.observed.containers.insert(dyno.id, container);
        self.row(dyno)
    }

    fn draining(mut self, dyno: &Dyno, seconds: i64, in_flight: usize) -> Self {
        self.observed.draining.insert(dyno.id, Draining { since: at(NOW - seconds), in_flight });
        self
    }

    fn collected(mut self, dyno: &Dyno) -> Self {
        self.observed.collected.insert(dyno.id);
        self
    }

    fn set(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn plan(&self) -> Plan {
        plan(&self.desired, &self.observed, at(NOW), &self.settings)
    }

    /// Compares the actions, written short, and what else is said about dynos that wait.
    #[track_caller]
    fn check(self, actions: &[&str], waits: &[(&str, Reason)]) {
        let plan = self.plan();
        let name = |id: &DynoId| {
            let dyno = self.observed.dynos.iter().find(|dyno| dyno.id == *id);
            dyno.map_or("?".into(), |dyno| format!("{} v{}", dyno.name, dyno.release.0.as_u128()))
        };
        let got: Vec<_> = plan.actions.iter().map(|action| describe(action, name)).collect();
        assert_eq!(got, actions);
        let got: Vec<_> =
            plan.waits.iter().map(|wait| (wait.name.to_string(), wait.reason.clone())).collect();
        let expected: Vec<_> =
            waits.iter().map(|(name, reason)| ((*name).to_owned(), reason.clone())).collect();
        assert_eq!(got, expected);
    }
}

fn describe(action: &Action, name: impl Fn(&DynoId) -> String) -> String {
    match action {
        Action::Launch(launch) => {
            let Launch { name, release, crashes, why, .. } = launch;
            let crashes = if *crashes == 0 { String::new() } else { format!(" after {crashes}") };
            format!("launch {name} v{} {why:?}{crashes}", release.0.as_u128())
        }
        Action::Start(id) => format!("start {}", name(id)),
        Action::Record(id, change) => match change {
            Change::Up { .. } => format!("up {}", name(id)),
            Change::Crashed { exit, crashes, retry_at, .. } => {
                let wait = retry_at.as_second() - (NOW - 1);
                format!("crashed {} with {}, {crashes} times, wait {wait}", name(id), exit.code)
            }
            Change::Ended { exit, state, .. } => {
                format!("{} {} with {}", state.as_str(), name(id), exit.code)
            }
            Change::Lost { state, .. } => format!("lost {} {}", name(id), state.as_str()),
        },
        Action::Retire(id) => format!("retire {}", name(id)),
        Action::Stop { dyno, grace, why } => format!("stop {} {why:?} {}", name(dyno), grace.as_secs()),
        Action::Clean(id) => format!("clean {}", name(id)),
        Action::Forget(id) => format!("forget {}", name(id)),
        Action::StopStray(_) => "stop stray".into(),
    }
}

#[test]
fn nothing_is_wished_and_nothing_is_there() {
    Case::default().check(&[], &[]);
    wish(1, "web=0").check(&[], &[]);
    wish(1, "web=1").set(|case| case.desired.apps.get_mut(&APP).unwrap().release = None).check(&[], &[]);
}

#[test]
fn starts_what_is_missing() {
    wish(1, "web=1").check(&["launch web.1 v1 Missing"], &[]);
    wish(1, "web=2 worker=1")
        .check(&["launch web.1 v1 Missing", "launch worker.1 v1 Missing", "launch web.2 v1 Missing"], &[]);
    wish(1, "web=2").has(dyno("web.2", 1, Up)).check(&["launch web.1 v1 Missing"], &[]);
    wish(1, "web=1 worker=1").has(dyno("web.1", 1, Up)).has(dyno("worker.1", 1, Up)).check(&[], &[]);
}

#[test]
fn a_row_without_container_is_started_not_doubled() {
    wish(1, "web=1").row(dyno("web.1", 1, Starting)).check(&["start web.1 v1"], &[]);
}

#[test]
fn a_web_dyno_is_up_when_it_listens_another_when_it_runs() {
    let web = || dyno("web.1", 1, Starting);
    wish(1, "web=1").seen(web(), Container::Creating).check(&[], &[("web.1", Reason::Booting)]);
    wish(1, "web=1").seen(web(), running(59, false)).check(&[], &[("web.1", Reason::Booting)]);
    wish(1, "web=1").seen(web(), running(2, true)).check(&["up web.1 v1"], &[]);
    wish(1, "worker=1")
        .seen(dyno("worker.1", 1, Starting), running(0, false))
        .check(&["up worker.1 v1"], &[]);
}

#[test]
fn boot_timeout() {
    let late = dyno("web.1", 1, Starting);
    wish(1, "web=1").seen(late.clone(), running(60, false)).check(&["stop web.1 v1 BootTimeout 0"], &[]);
    let told = Dyno { stopping_since: Some(at(NOW)), ..late };
    wish(1, "web=1").seen(told.clone(), running(61, false)).check(&[], &[("web.1", Reason::Stopping)]);
    wish(1, "web=1").seen(told, exited(137)).check(&["crashed web.1 v1 with 137, 1 times, wait 0"], &[]);
    let plan = wish(1, "web=1").seen(dyno("web.1", 1, Starting), running(50, false)).plan();
    assert_eq!(plan.next, Some(at(NOW + 10)));
}

#[test]
fn a_crash_is_tried_again_at_once_then_later() {
    let up = |crashes| Dyno { crashes, ..dyno("worker.1", 1, Up) };
    // Leaving with 0 is a crash, too.
    wish(1, "worker=1").seen(up(0), exited(0)).check(&["crashed worker.1 v1 with 0, 1 times, wait 0"], &[]);
    wish(1, "worker=1").seen(up(1), exited(1)).check(&["crashed worker.1 v1 with 1, 2 times, wait 600"], &[]);
    let crashed = |retry| Dyno { crashes: 2, retry_at: Some(at(retry)), ..dyno("worker.1", 1, Crashed) };
    wish(1, "worker=1").row(crashed(NOW)).check(&["launch worker.1 v1 Crash after 2"], &[]);
    let until = at(NOW + 5);
    wish(1, "worker=1").row(crashed(NOW + 5)).check(&[], &[("worker.1", Reason::BackOff { until })]);
    assert_eq!(wish(1, "worker=1").row(crashed(NOW + 5)).plan().next, Some(until));
}

#[test]
fn the_row_of_a_crash_goes_when_its_place_is_filled() {
    let crashed = Dyno { retry_at: Some(at(NOW - 5)), ..dyno("worker.1", 1, Crashed) };
    let newer = Dyno { id: DynoId(Uuid::from_u128(9)), created_at: at(NOW), ..dyno("worker.1", 1, Starting) };
    wish(1, "worker=1")
        .row(crashed.clone())
        .has(newer.clone())
        .check(&["up worker.1 v1", "forget worker.1 v1"], &[]);
    // Its container first, and before that its output.
    wish(1, "worker=1")
        .seen(crashed.clone(), exited(1))
        .seen(newer.clone(), Container::Creating)
        .check(&[], &[("worker.1", Reason::CollectingOutput), ("worker.1", Reason::Booting)]);
    wish(1, "worker=1")
        .seen(crashed.clone(), exited(1))
        .seen(newer, Container::Creating)
        .collected(&crashed)
        .check(&["clean worker.1 v1"], &[("worker.1", Reason::Booting)]);
}

#[test]
fn a_new_release_or_a_restart_resets_the_back_off() {
    let crashed = Dyno { crashes: 9, retry_at: Some(at(NOW + 9999)), ..dyno("web.1", 1, Crashed) };
    wish(2, "web=1").row(crashed.clone()).check(&["launch web.1 v2 Release"], &[]);
    let restart = Dyno { stop_requested_at: Some(at(NOW)), ..crashed };
    wish(1, "web=1").row(restart).check(&["launch web.1 v1 Restart"], &[]);
}

#[test]
fn a_release_starts_the_new_web_dyno_beside_the_old() {
    let old = dyno("web.1", 1, Up);
    let keeps = [("web.1", Reason::ServesUntilReplaced)];
    wish(2, "web=1").has(old.clone()).check(&["launch web.1 v2 Release"], &keeps);
    let booting = [("web.1", Reason::Booting), ("web.1", Reason::ServesUntilReplaced)];
    wish(2, "web=1").has(dyno("web.1", 2, Starting)).has(old.clone()).check(&[], &booting);
    wish(2, "web=1").has(dyno("web.1", 2, Up)).has(old.clone()).check(&["retire web.1 v1"], &[]);
    let draining = |seconds, in_flight| {
        wish(2, "web=1").has(dyno("web.1", 2, Up)).has(old.clone()).draining(&old, seconds, in_flight)
    };
    draining(0, 0).check(&[], &[("web.1", Reason::Draining { in_flight: 0 })]);
    draining(1, 0).check(&["stop web.1 v1 Replaced 30"], &[]);
    draining(29, 3).check(&[], &[("web.1", Reason::Draining { in_flight: 3 })]);
    draining(30, 3).check(&["stop web.1 v1 Replaced 30"], &[]);
    assert_eq!(draining(29, 3).plan().next, Some(at(NOW + 1)));
}

#[test]
fn a_release_that_never_comes_up_takes_nothing_away() {
    let until = at(NOW + 600);
    let crashed = Dyno { crashes: 2, retry_at: Some(until), ..dyno("web.1", 2, Crashed) };
    let waits = [("web.1", Reason::BackOff { until }), ("web.1", Reason::ServesUntilReplaced)];
    wish(2, "web=1").has(dyno("web.1", 1, Up)).row(crashed.clone()).check(&[], &waits);
    // Nor when the next release comes: the crashed one goes, the serving one stays.
    wish(3, "web=1")
        .has(dyno("web.1", 1, Up))
        .row(crashed)
        .check(&["launch web.1 v3 Release"], &[("web.1", Reason::ServesUntilReplaced)]);
}

#[test]
fn a_successor_that_dies_while_the_old_drains_gives_the_routes_back() {
    let old = dyno("web.1", 1, Up);
    let crashed = Dyno { retry_at: Some(at(NOW)), ..dyno("web.1", 2, Crashed) };
    wish(2, "web=1")
        .has(old.clone())
        .row(crashed)
        .draining(&old, 5, 0)
        .check(&["launch web.1 v2 Crash"], &[("web.1", Reason::ServesUntilReplaced)]);
}

#[test]
fn a_release_overtaken_while_it_boots() {
    wish(3, "web=1").has(dyno("web.1", 1, Up)).has(dyno("web.1", 2, Starting)).check(
        &["launch web.1 v3 Release", "stop web.1 v2 Replaced 30"],
        &[("web.1", Reason::Booting), ("web.1", Reason::ServesUntilReplaced)],
    );
}

#[test]
fn other_dynos_are_replaced_without_waiting() {
    wish(2, "worker=1")
        .has(dyno("worker.1", 1, Up))
        .check(&["launch worker.1 v2 Release", "stop worker.1 v1 Replaced 30"], &[]);
}

#[test]
fn restart_resize_and_cycling_replace() {
    let requested = Dyno { stop_requested_at: Some(at(NOW)), ..dyno("worker.1", 1, Up) };
    wish(1, "worker=1")
        .has(requested)
        .check(&["launch worker.1 v1 Restart", "stop worker.1 v1 Replaced 30"], &[]);
    let small = Dyno { size: DynoSize::Standard1X, ..dyno("worker.1", 1, Up) };
    wish(1, "worker=1").has(small).check(&["launch worker.1 v1 Resize", "stop worker.1 v1 Replaced 30"], &[]);
    let web = Dyno { stop_requested_at: Some(at(NOW)), ..dyno("web.1", 1, Up) };
    wish(1, "web=1").has(web).check(&["launch web.1 v1 Restart"], &[("web.1", Reason::ServesUntilReplaced)]);
    let day = 24 * 3600;
    let young = Dyno { started_at: Some(at(NOW - day + 1)), ..dyno("worker.1", 1, Up) };
    wish(1, "worker=1").has(young).check(&[], &[]);
    let old = Dyno { started_at: Some(at(NOW - day - 216 * 60)), ..dyno("worker.1", 1, Up) };
    wish(1, "worker=1").has(old).check(&["launch worker.1 v1 Cycling", "stop worker.1 v1 Replaced 30"], &[]);
}

#[test]
fn scales_down_highest_numbers_first() {
    wish(1, "worker=1")
        .has(dyno("worker.1", 1, Up))
        .has(dyno("worker.2", 1, Up))
        .has(dyno("worker.3", 1, Starting))
        .check(&["up worker.3 v1", "stop worker.3 v1 ScaledDown 30", "stop worker.2 v1 ScaledDown 30"], &[]);
    wish(1, "web=1").has(dyno("web.1", 1, Up)).has(dyno("web.2", 1, Up)).check(&["retire web.2 v1"], &[]);
    wish(1, "web=0").has(dyno("web.1", 1, Up)).check(&["retire web.1 v1"], &[]);
    // The process type is gone.
    wish(1, "").has(dyno("web.1", 1, Up)).check(&["retire web.1 v1"], &[]);
}

#[test]
fn the_last_web_dyno_that_serves_stays_until_another_does() {
    let crashed = Dyno { retry_at: Some(at(NOW + 60)), ..dyno("web.1", 1, Crashed) };
    let waits = [("web.2", Reason::LastServing), ("web.1", Reason::BackOff { until: at(NOW + 60) })];
    wish(1, "web=1").row(crashed).has(dyno("web.2", 1, Up)).check(&[], &waits);
}

#[test]
fn a_scale_down_during_a_release_keeps_the_wanted_place() {
    wish(2, "web=1")
        .has(dyno("web.1", 1, Up))
        .has(dyno("web.2", 1, Up))
        .check(&["retire web.2 v1", "launch web.1 v2 Release"], &[("web.1", Reason::ServesUntilReplaced)]);
}

#[test]
fn a_stopped_dyno_is_recorded_collected_and_forgotten() {
    let down = dyno("worker.1", 1, Down);
    let dead = Dyno { exit_status: Some(143), ..down.clone() };
    let none = || wish(1, "worker=0");
    none().seen(down.clone(), running(60, false)).check(&[], &[("worker.1", Reason::Stopping)]);
    none().seen(down.clone(), exited(143)).check(&["down worker.1 v1 with 143"], &[]);
    none().seen(dead.clone(), exited(143)).check(&[], &[("worker.1", Reason::CollectingOutput)]);
    none().seen(dead.clone(), exited(143)).collected(&dead).check(&["clean worker.1 v1"], &[]);
    none().row(dead).check(&["forget worker.1 v1"], &[]);
    none().row(down).check(&["forget worker.1 v1"], &[]);
}

#[test]
fn a_container_that_vanished_is_a_crash() {
    wish(1, "worker=1").row(dyno("worker.1", 1, Up)).check(&["lost worker.1 v1 crashed"], &[]);
    // It was started and told to stop: it is not to be started again.
    let told = |name| Dyno { stopping_since: Some(at(NOW)), ..dyno(name, 1, Starting) };
    wish(1, "web=1").row(told("web.1")).check(&["lost web.1 v1 crashed"], &[]);
    wish(1, "").row(told("run.1234")).check(&["lost run.1234 v1 crashed"], &[]);
}

#[test]
fn no_more_start_at_once_than_the_machine_stands() {
    let limit = |case: &mut Case| case.settings.max_starting = 2;
    wish(1, "web=3")
        .set(limit)
        .check(&["launch web.1 v1 Missing", "launch web.2 v1 Missing"], &[("web.3", Reason::Capacity)]);
    wish(1, "web=3")
        .has(dyno("web.1", 1, Starting))
        .has(dyno("web.2", 1, Starting))
        .set(limit)
        .check(&[], &[("web.1", Reason::Booting), ("web.2", Reason::Booting), ("web.3", Reason::Capacity)]);
    // Who serves nobody yet comes first, and nothing is stopped without its successor.
    wish(2, "worker=2 web=1").has(dyno("worker.1", 1, Up)).has(dyno("worker.2", 1, Up)).set(limit).check(
        &["launch web.1 v2 Missing", "launch worker.1 v2 Release", "stop worker.1 v1 Replaced 30"],
        &[("worker.2", Reason::Capacity)],
    );
    // A dyno that takes the place of one that is starting needs no room.
    wish(2, "web=2").has(dyno("web.1", 1, Starting)).has(dyno("web.2", 1, Starting)).set(limit).check(
        &[
            "launch web.1 v2 Release",
            "stop web.1 v1 Replaced 30",
            "launch web.2 v2 Release",
            "stop web.2 v1 Replaced 30",
        ],
        &[("web.1", Reason::Booting), ("web.2", Reason::Booting)],
    );
}

#[test]
fn a_one_off_runs_once() {
    let run = |state| dyno("run.1234", 1, state);
    wish(1, "").row(run(Starting)).check(&["start run.1234 v1"], &[]);
    wish(1, "").seen(run(Starting), running(0, false)).check(&["up run.1234 v1"], &[]);
    wish(1, "").seen(run(Up), running(9, false)).check(&[], &[]);
    wish(1, "").seen(run(Up), exited(0)).check(&["complete run.1234 v1 with 0"], &[]);
    wish(1, "").seen(run(Starting), exited(3)).check(&["crashed run.1234 v1 with 3"], &[]);
    wish(1, "").row(run(Up)).check(&["lost run.1234 v1 crashed"], &[]);
    wish(1, "").row(run(Complete)).check(&["forget run.1234 v1"], &[]);
    // Neither a release nor the back-off touch it.
    wish(2, "").seen(run(Up), running(9, false)).check(&[], &[]);
}

#[test]
fn a_one_off_is_stopped_on_request() {
    let stop = |state| Dyno { stop_requested_at: Some(at(NOW)), ..dyno("run.1234", 1, state) };
    let told = Dyno { stopping_since: Some(at(NOW)), ..stop(Up) };
    wish(1, "").seen(stop(Up), running(9, false)).check(&["stop run.1234 v1 Requested 30"], &[]);
    wish(1, "").seen(told.clone(), running(9, false)).check(&[], &[("run.1234", Reason::Stopping)]);
    wish(1, "").seen(told, exited(143)).check(&["complete run.1234 v1 with 143"], &[]);
    wish(1, "").row(stop(Starting)).check(&["lost run.1234 v1 down"], &[]);
}

#[test]
fn attach_timeout() {
    let awaiting = |seconds| Container::Awaiting { since: at(NOW - seconds) };
    let run = || dyno("run.1234", 1, Starting);
    wish(1, "").seen(run(), awaiting(29)).check(&[], &[("run.1234", Reason::AwaitingClient)]);
    wish(1, "").seen(run(), awaiting(30)).check(&["stop run.1234 v1 AttachTimeout 0"], &[]);
}

#[test]
fn a_release_dyno_stays_until_its_outcome_is_recorded() {
    let done = dyno("release.1234", 2, Complete);
    let pending = |case: &mut Case| _ = case.desired.pending_releases.insert(release(2));
    wish(1, "").row(done.clone()).set(pending).check(&[], &[("release.1234", Reason::ReleasePending)]);
    wish(1, "").row(done).check(&["forget release.1234 v2"], &[]);
}

#[test]
fn a_dyno_that_a_setup_waits_for_stays_until_its_outcome_is_recorded() {
    let done = dyno("postdeploy.1234", 2, Complete);
    let id = done.id;
    let awaited = |case: &mut Case| _ = case.desired.awaited.insert(id);
    wish(1, "").row(done.clone()).set(awaited).check(&[], &[("postdeploy.1234", Reason::Awaited)]);
    wish(1, "").row(done).check(&["forget postdeploy.1234 v2"], &[]);
}

#[test]
fn containers_of_destroyed_apps_are_stopped_and_freed() {
    let id = DynoId(Uuid::from_u128(77));
    let stray = |container| Case::default().set(|case| _ = case.observed.containers.insert(id, container));
    stray(running(9, true)).check(&["stop stray"], &[]);
    stray(running(9, true)).set(|case| _ = case.observed.told.insert(id)).check(&[], &[]);
    stray(exited(143)).check(&["clean ?"], &[]);
}
