//! A world that obeys plans, for what must hold whatever happens in it.

use super::*;
use proptest::prelude::*;
use uuid::Uuid;

const APP: AppId = AppId(Uuid::from_u128(1));

/// What can happen.
#[derive(Clone, Debug)]
enum Event {
    /// A new release, whose web dynos come up or not.
    Deploy {
        good: bool,
    },
    Scale(u32, u32),
    Restart(usize),
    /// One of the running containers ends.
    Kill(usize),
    /// One of the rows loses its container altogether.
    Vanish(usize),
    Pass(u32),
    /// The server dies after so many actions of one plan, and forgets what it only remembered.
    Die(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => any::<bool>().prop_map(|good| Event::Deploy { good }),
        2 => (0_u32..4, 0_u32..3).prop_map(|(web, worker)| Event::Scale(web, worker)),
        1 => (0_usize..8).prop_map(Event::Restart),
        2 => (0_usize..8).prop_map(Event::Kill),
        1 => (0_usize..8).prop_map(Event::Vanish),
        4 => (1_u32..100_000).prop_map(Event::Pass),
        2 => (0_usize..4).prop_map(Event::Die),
    ]
}

struct World {
    now: Timestamp,
    desired: Desired,
    observed: Observed,
    /// Releases whose web dynos never listen.
    bad: BTreeSet<ReleaseId>,
    settings: Settings,
    ids: u128,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            now: Timestamp::from_second(1_000_000).unwrap(),
            desired: Desired::default(),
            observed: Observed::default(),
            bad: BTreeSet::new(),
            settings: Settings { max_starting: 3, ..Settings::default() },
            ids: 0,
        };
        world.desired.apps.insert(APP, AppWish::default());
        world.happen(&Event::Deploy { good: true });
        world.happen(&Event::Scale(1, 0));
        world
    }

    fn wish(&mut self) -> &mut AppWish {
        self.desired.apps.entry(APP).or_default()
    }

    fn fresh(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    fn pass(&mut self, by: Duration) {
        self.now = rules::later(self.now, by);
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Deploy { good } => {
                let release = ReleaseId(self.fresh());
                self.wish().release = Some(release);
                if !good {
                    self.bad.insert(release);
                }
            }
            Event::Scale(web, worker) => {
                let wish = |process_type: &str, quantity| TypeWish {
                    process_type: process_type.parse().unwrap(),
                    command: "run".into(),
                    quantity,
                    size: DynoSize::Basic,
                };
                self.wish().formation = vec![wish("web", *web), wish("worker", *worker)];
            }
            Event::Restart(which) => {
                let now = self.now;
                if let Some(dyno) = self.observed.dynos.get_mut(*which) {
                    dyno.stop_requested_at = Some(now);
                }
            }
            Event::Kill(which) => {
                let id = self.observed.containers.keys().nth(*which).copied();
                if let Some(id) = id {
                    self.exit(id, 1);
                }
            }
            Event::Vanish(which) => {
                let id = self.observed.containers.keys().nth(*which).copied();
                id.and_then(|id| self.observed.containers.remove(&id));
            }
            Event::Pass(seconds) => {
                self.pass(Duration::from_secs(u64::from(*seconds)));
            }
            Event::Die(after) => {
                self.step(*after);
                self.observed.draining.clear();
                self.observed.collected.clear();
                self.observed.told.clear();
            }
        }
    }

    fn exit(&mut self, id: DynoId, code: i32) {
        let now = self.now;
        if let Some(container) = self.observed.containers.get_mut(&id) {
            let since = match container {
                Container::Exited { .. } => return,
                Container::Running { since, .. } => Some(*since),
                _ => None,
            };
            *container = Container::Exited { since, at: now, exit: Exit { code, ..Exit::default() } };
        }
    }

    fn row(&mut self, id: DynoId) -> &mut Dyno {
        self.observed.dynos.iter_mut().find(|dyno| dyno.id == id).expect("a plan speaks of rows that exist")
    }

    /// Plans once, obeys the first `limit` actions, and lets containers go on.
    fn step(&mut self, limit: usize) -> Plan {
        let plan = plan(&self.desired, &self.observed, self.now, &self.settings);
        for action in plan.actions.iter().take(limit) {
            self.obey(action.clone());
        }
        let retired = retired(&self.desired, &self.observed.dynos, self.now, &self.settings);
        self.observed.draining.retain(|id, _| retired.contains(id));
        let ended =
            self.observed.containers.iter().filter(|(_, seen)| matches!(seen, Container::Exited { .. }));
        self.observed.collected.extend(ended.map(|(id, _)| *id).collect::<Vec<_>>());
        self.run_containers();
        plan
    }

    /// Every container takes its next step.
    fn run_containers(&mut self) {
        let good: BTreeSet<_> = self
            .observed
            .dynos
            .iter()
            .filter(|dyno| !self.bad.contains(&dyno.release))
            .map(|dyno| dyno.id)
            .collect();
        for (id, container) in &mut self.observed.containers {
            match container {
                Container::Creating => *container = Container::Running { since: self.now, listening: false },
                Container::Running { listening, .. } => *listening |= good.contains(id),
                _ => {}
            }
        }
    }

    fn obey(&mut self, action: Action) {
        let now = self.now;
        match action {
            Action::Launch(launch) => {
                let id = DynoId(self.fresh());
                self.observed.containers.insert(id, Container::Creating);
                self.observed.dynos.push(new_row(id, launch, now));
            }
            Action::Start(id) => _ = self.observed.containers.entry(id).or_insert(Container::Creating),
            Action::Record(id, change) => record(self.row(id), change, now),
            Action::Retire(id) => {
                self.observed.draining.insert(id, Draining { since: now, in_flight: 0 });
            }
            Action::Stop { dyno, why, .. } => {
                self.exit(dyno, if why == StopReason::BootTimeout { 137 } else { 143 });
                let row = self.row(dyno);
                row.stopping_since = Some(now);
                if why != StopReason::BootTimeout {
                    row.state = DynoState::Down;
                }
            }
            Action::Clean(id) => {
                let container = self.observed.containers.remove(&id);
                assert!(matches!(container, Some(Container::Exited { .. })), "only what has ended is freed");
            }
            Action::Forget(id) => {
                assert!(!self.observed.containers.contains_key(&id), "a row outlives its container");
                self.observed.dynos.retain(|dyno| dyno.id != id);
            }
            Action::StopStray(id) => self.exit(id, 143),
        }
    }

    /// Web dynos that get requests.
    fn serving(&self) -> BTreeSet<DynoId> {
        let retired = retired(&self.desired, &self.observed.dynos, self.now, &self.settings);
        let web = self.observed.dynos.iter().filter(|dyno| dyno.name.process_type.is_web());
        let up = web.filter(|dyno| dyno.state == DynoState::Up && dyno.stopping_since.is_none());
        up.map(|dyno| dyno.id).filter(|id| !retired.contains(id)).collect()
    }

    fn web_wanted(&self) -> u32 {
        let wishes = self.desired.apps.values().flat_map(|wish| &wish.formation);
        wishes.filter(|wish| wish.process_type.is_web()).map(|wish| wish.quantity).sum()
    }

    /// Whether what is there is what is wished, and nothing else.
    fn settled(&self) -> bool {
        let wish = &self.desired.apps[&APP];
        let mut wanted: Vec<_> = wish
            .formation
            .iter()
            .flat_map(|wish| {
                (1..=wish.quantity).map(|number| DynoName::new(wish.process_type.clone(), number))
            })
            .collect();
        let rows = &self.observed.dynos;
        let mut names: Vec<_> = rows.iter().map(|dyno| dyno.name.clone()).collect();
        wanted.sort();
        names.sort();
        names == wanted
            && rows.iter().all(|dyno| dyno.state == DynoState::Up && Some(dyno.release) == wish.release)
            && self.observed.containers.len() == rows.len()
    }
}

fn new_row(id: DynoId, launch: Launch, now: Timestamp) -> Dyno {
    Dyno {
        id,
        app: launch.app,
        name: launch.name,
        kind: DynoKind::Formation,
        size: launch.size,
        release: launch.release,
        command: launch.command,
        state: DynoState::Starting,
        env: BTreeMap::new(),
        image_type: None,
        attach_key: None,
        no_tty: false,
        user: None,
        time_limit: None,
        port: None,
        address: None,
        crashes: launch.crashes,
        retry_at: None,
        stop_requested_at: None,
        stopping_since: None,
        exit_status: None,
        started_at: None,
        state_changed_at: now,
        created_at: now,
        updated_at: now,
    }
}

fn record(row: &mut Dyno, change: Change, now: Timestamp) {
    row.state_changed_at = now;
    match change {
        Change::Up { since } => {
            row.state = DynoState::Up;
            row.started_at = Some(since);
        }
        Change::Crashed { exit, crashes, retry_at, .. } => {
            row.state = DynoState::Crashed;
            row.exit_status = Some(exit.code);
            row.crashes = crashes;
            row.retry_at = Some(retry_at);
        }
        Change::Ended { exit, state, .. } => {
            row.state = state;
            row.exit_status = Some(exit.code);
        }
        Change::Lost { state, retry_at } => {
            row.state = state;
            row.retry_at = retry_at;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, a plan alone never takes away the last web dyno that serves while some are
    /// wished, never starts two for one place, and stays within the bound of starts.
    #[test]
    fn plans_do_no_harm(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World::new();
        for event in events {
            world.happen(&event);
            for _ in 0..3 {
                let before = world.serving();
                world.step(usize::MAX);
                let after = world.serving();
                if world.web_wanted() > 0 && !before.is_empty() {
                    // Those that ended by themselves are not the plan's doing.
                    let ended = |id: &&DynoId| !matches!(
                        world.observed.containers.get(id), Some(Container::Running { .. }));
                    prop_assert!(!after.is_empty() || before.iter().filter(ended).count() == before.len());
                }
                let starting = world.observed.dynos.iter().filter(|dyno| {
                    dyno.state == DynoState::Starting && dyno.stopping_since.is_none()
                }).count();
                prop_assert!(starting <= 2 * world.settings.max_starting, "{starting} start at once");
                world.pass(Duration::from_secs(1));
            }
        }
    }

    /// Once nothing happens any more, the world becomes as wished in a bounded number of steps.
    #[test]
    fn the_world_settles(events in prop::collection::vec(event(), 0..40)) {
        let mut world = World::new();
        for event in events {
            world.happen(&event);
            world.step(usize::MAX);
        }
        world.happen(&Event::Deploy { good: true });
        for _ in 0..60 {
            world.step(usize::MAX);
            world.pass(Duration::from_secs(1));
        }
        prop_assert!(world.settled(), "{:#?} {:#?}", world.desired, world.observed);
        let plan = world.step(usize::MAX);
        prop_assert_eq!(plan.actions, []);
    }
}
