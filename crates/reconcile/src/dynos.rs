//! Keeps each app's dynos as wished: plans, starts and stops containers, writes down what it sees.
//!
//! This loop is the only one that writes the observed side of dynos' rows. A row is written before
//! its container is started and deleted after its container is gone, so that nothing that runs is
//! ever forgotten, wherever the server is killed.

use crate::collect::Collected;
use crate::driver::{Loop, Turn};
use crate::error::{Error, Result, chain};
use crate::own_image::{Looked, OwnImage};
use crate::routes::Publisher;
use crate::spec::{self, Brought, Source, label};
use crate::world::World;
use crate::{Settings, lines};
use async_trait::async_trait;
use domain::{AppId, Dyno, DynoId, DynoKind, DynoName, DynoState, LogLine};
use engine::{Engine, EngineError, Observation, Status};
use image::ImageStore;
use jiff::Timestamp;
use logs::Logs;
use ops::Ops;
use planner::dynos::{
    Action, Change, Container, Draining, Exit, Launch, Observed, Plan, StopReason, after_crash, plan, retired,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How often requests in flight are looked at while a dyno drains.
const DRAIN_LOOK: Duration = Duration::from_millis(200);

/// An action that failed is tried again after this long.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// The loop.
pub(crate) struct Dynos {
    pub(crate) ops: Ops,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) images: ImageStore,
    pub(crate) logs: Logs,
    pub(crate) publisher: Publisher,
    pub(crate) collected: Collected,
    pub(crate) settings: Arc<Settings>,
    pub(crate) memory: Memory,
}

/// What is only remembered. Forgetting it does no harm: waits begin anew, a line may be repeated.
#[derive(Default)]
pub(crate) struct Memory {
    /// Since when dynos are out of the routes.
    draining: BTreeMap<DynoId, Timestamp>,
    /// Since when containers wait for their clients.
    awaiting: BTreeMap<DynoId, Timestamp>,
    /// Containers without a row that were told to stop.
    told: BTreeSet<DynoId>,
    /// Dynos whose start the log tells of.
    announced: BTreeSet<DynoId>,
}

/// What one turn looks at.
struct Scene {
    world: World,
    seen: BTreeMap<DynoId, Observation>,
    plan: Plan,
}

#[async_trait]
impl Loop for Dynos {
    fn name(&self) -> &'static str {
        "dynos"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let scene = self.look().await?;
        let mut failures = Vec::new();
        for action in &scene.plan.actions {
            // What fails for one dyno must neither stop nor delay the others.
            if let Err(error) = self.apply(action, &scene).await {
                let error = chain(&error);
                tracing::warn!(?action, error, "could not do what a dyno needs");
                failures.push(error);
            }
        }
        let waits: Vec<_> = scene
            .plan
            .waits
            .iter()
            .map(|wait| json!({ "app": wait.app.to_string(), "dyno": wait.name.to_string(), "why": wait.reason.to_string() }))
            .collect();
        let newly = scene.plan.actions.iter().any(|action| matches!(action, Action::Retire(_)));
        let look = if newly { self.settings.dynos.settle.min(DRAIN_LOOK) } else { DRAIN_LOOK };
        let drain_look = (!self.memory.draining.is_empty()).then(|| self.ops.now() + look);
        let detail = json!({
            "rows": scene.world.dynos.len(), "containers": scene.seen.len(),
            "actions": scene.plan.actions.len(), "waits": waits, "failures": failures,
        });
        let again = (!failures.is_empty()).then(|| self.ops.now() + TRY_AGAIN);
        Ok(Turn { detail, next: scene.plan.next.into_iter().chain(drain_look).chain(again).min() })
    }
}

impl Dynos {
    async fn look(&mut self) -> Result<Scene> {
        // Containers first: one that appears after the rows were read would look like a stray.
        let seen: BTreeMap<_, _> = self
            .engine
            .observe()
            .await?
            .into_iter()
            .filter(|seen| seen.labels.get(label::KIND).is_some_and(|kind| kind == label::DYNO))
            .map(|seen| (DynoId(seen.id), seen))
            .collect();
        let world = World::load(self.ops.store()).await?;
        let now = self.ops.now();
        self.forget_what_is_gone(&world, &seen, now);
        let containers =
            seen.iter().map(|(id, seen)| (*id, self.container(*id, &seen.status, now))).collect();
        let draining = |(id, since): (&DynoId, &Timestamp)| {
            (*id, Draining { since: *since, in_flight: self.publisher.routing.in_flight(*id) })
        };
        let observed = Observed {
            containers,
            draining: self.memory.draining.iter().map(draining).collect(),
            collected: self.collected.all().into_iter().map(DynoId).collect(),
            told: self.memory.told.clone(),
            dynos: world.dynos.clone(),
        };
        let plan = plan(&world.desired, &observed, now, &self.settings.dynos);
        Ok(Scene { world, seen, plan })
    }

    fn forget_what_is_gone(&mut self, world: &World, seen: &BTreeMap<DynoId, Observation>, now: Timestamp) {
        let retired = retired(&world.desired, &world.dynos, now, &self.settings.dynos);
        self.memory.draining.retain(|id, _| retired.contains(id));
        self.memory.told.retain(|id| seen.contains_key(id));
        let waits = |id: &DynoId| seen.get(id).is_some_and(|seen| seen.status == Status::AwaitingClient);
        self.memory.awaiting.retain(|id, _| waits(id));
        let rows: BTreeSet<_> = world.dynos.iter().map(|dyno| dyno.id).collect();
        self.memory.announced.retain(|id| rows.contains(id));
        for (id, seen) in seen {
            if seen.status == Status::AwaitingClient && !self.memory.awaiting.contains_key(id) {
                self.memory.awaiting.insert(*id, now);
                if let Some(dyno) = world.dynos.iter().find(|dyno| dyno.id == *id) {
                    self.say(dyno, ["Awaiting client".to_owned()]);
                }
            }
        }
    }

    fn container(&self, id: DynoId, status: &Status, now: Timestamp) -> Container {
        match status {
            Status::Creating => Container::Creating,
            Status::AwaitingClient => {
                Container::Awaiting { since: self.memory.awaiting.get(&id).copied().unwrap_or(now) }
            }
            Status::Running { since, listening } => {
                Container::Running { since: *since, listening: *listening }
            }
            Status::Exited { since, at, exit } => {
                let exit = Exit {
                    code: exit.code,
                    out_of_memory: exit.out_of_memory,
                    timed_out: exit.timed_out,
                    killed: exit.killed,
                    failure: exit.failure.clone(),
                };
                Container::Exited { since: *since, at: *at, exit }
            }
        }
    }

    async fn apply(&mut self, action: &Action, scene: &Scene) -> Result<()> {
        let row = |id: &DynoId| scene.world.dynos.iter().find(|dyno| dyno.id == *id);
        match action {
            Action::Launch(launch) => self.launch(launch, scene).await,
            Action::Start(id) => match row(id) {
                Some(dyno) => self.start(dyno.clone()).await,
                None => Ok(()),
            },
            Action::Record(id, change) => match row(id) {
                Some(dyno) => self.record(dyno.clone(), change, scene.seen.get(id)).await,
                None => Ok(()),
            },
            Action::Retire(id) => {
                // The time counts from when no new request can come.
                self.publisher.publish().await?;
                self.memory.draining.insert(*id, self.ops.now());
                Ok(())
            }
            Action::Stop { dyno, grace, why } => match row(dyno) {
                Some(dyno) => self.stop(dyno.clone(), *grace, *why).await,
                None => Ok(()),
            },
            Action::Clean(id) => self.clean(*id, scene.seen.get(id)).await,
            Action::Forget(id) => {
                let mut write = self.ops.store().write().await?;
                store::dynos::delete(&mut write, *id).await?;
                Ok(write.commit().await?)
            }
            Action::StopStray(id) => {
                ignore_missing(self.engine.stop(id.0, self.settings.dynos.grace).await)?;
                self.memory.told.insert(*id);
                Ok(())
            }
        }
    }

    async fn launch(&mut self, launch: &Launch, scene: &Scene) -> Result<()> {
        let before =
            scene.world.dynos.iter().filter(|dyno| dyno.app == launch.app && dyno.name == launch.name);
        let before = before.max_by_key(|dyno| dyno.created_at).map(|dyno| dyno.state);
        let dyno = new_row(launch, self.ops.now());
        let mut write = self.ops.store().write().await?;
        let release = store::releases::by_id(&mut write, launch.release).await?;
        if release.is_none() {
            // The app was destroyed since the rows were read.
            return Ok(());
        }
        store::dynos::insert(&mut write, &dyno).await?;
        write.commit().await?;
        self.say(&dyno, lines::launching(launch.why, before));
        self.start(dyno).await
    }

    async fn start(&mut self, dyno: Dyno) -> Result<()> {
        let source = Source::load(&self.ops, &mut self.ops.store().read().await?, &dyno).await?;
        let Some(source) = source else {
            return self.cannot_start(dyno, "its slug is not there any more").await;
        };
        let brought = match self.look_into_image(&source).await? {
            Ok(brought) => brought,
            Err(why) => return self.cannot_start(dyno, &why).await,
        };
        let spec = spec::container(&dyno, &source, brought, &self.settings);
        if dyno.attach_key.is_none() && self.memory.announced.insert(dyno.id) {
            self.say(&dyno, [lines::starting(&dyno)]);
        }
        match self.engine.start(spec).await {
            Ok(()) => Ok(()),
            Err(EngineError::NoImage(_)) => self.cannot_start(dyno, "its image is not there any more").await,
            Err(error) => Err(error.into()),
        }
    }

    /// What the image brings along, or why it cannot run.
    async fn look_into_image(&self, source: &Source) -> Result<std::result::Result<Brought, String>> {
        let (images, image, is_own) = (self.images.clone(), source.image, source.is_own);
        let looked = tokio::task::spawn_blocking(move || {
            if is_own {
                return OwnImage::look(&images, &image).map(|looked| match looked {
                    Looked::Found(own) => Ok(Brought::Own(own)),
                    Looked::Unusable(why) => Err(why),
                });
            }
            // Whether the image is there is for the engine to say.
            let env = images.image(&image).map(|image| image.spec.env).unwrap_or_default();
            Ok(Ok(Brought::Env(env)))
        });
        looked.await.map_err(|error| Error::Panic(error.to_string()))?
    }

    /// Notes a start that will not get better by trying again at once.
    async fn cannot_start(&mut self, dyno: Dyno, why: &str) -> Result<()> {
        let now = self.ops.now();
        let (crashes, retry_at) = after_crash(&self.settings.dynos, dyno.crashes, None, now);
        let exit = Exit { code: 127, failure: Some(why.to_owned()), ..Exit::default() };
        let change = if dyno.kind == DynoKind::Formation {
            Change::Crashed { since: None, at: now, exit, crashes, retry_at }
        } else {
            Change::Ended { since: None, at: now, exit, state: DynoState::Crashed }
        };
        self.record(dyno, &change, None).await
    }

    async fn record(&mut self, mut dyno: Dyno, change: &Change, seen: Option<&Observation>) -> Result<()> {
        let said = lines::record(&mut dyno, change, self.ops.now(), &self.settings.dynos);
        dyno.address = match change {
            Change::Up { .. } => seen.and_then(|seen| seen.address),
            _ => None,
        };
        self.write(&dyno).await?;
        self.say(&dyno, said);
        Ok(())
    }

    async fn stop(&mut self, mut dyno: Dyno, grace: Duration, why: StopReason) -> Result<()> {
        let said = lines::stopping(&dyno, why, &self.settings.dynos);
        // First the signal, then the row: a second signal does no harm, a missing one would.
        ignore_missing(self.engine.stop(dyno.id.0, grace).await)?;
        let now = self.ops.now();
        dyno.stopping_since = Some(now);
        if matches!(why, StopReason::Replaced | StopReason::ScaledDown) {
            dyno.state = DynoState::Down;
            dyno.state_changed_at = now;
        }
        dyno.updated_at = now;
        self.write(&dyno).await?;
        self.say(&dyno, said);
        Ok(())
    }

    async fn clean(&mut self, id: DynoId, seen: Option<&Observation>) -> Result<()> {
        self.engine.remove(id.0).await?;
        if let Some(app) = seen.and_then(app_of) {
            self.logs.forget(app, id.0).await;
        }
        self.collected.forget(id.0);
        Ok(())
    }

    async fn write(&self, dyno: &Dyno) -> Result<()> {
        let mut write = self.ops.store().write().await?;
        store::dynos::observe(&mut write, dyno).await?;
        Ok(write.commit().await?)
    }

    fn say(&self, dyno: &Dyno, said: impl IntoIterator<Item = String>) {
        for text in said {
            self.logs.append(dyno.app, LogLine::heroku(self.ops.now(), &dyno.name, text));
        }
    }
}

/// The app of a container, by its label.
pub(crate) fn app_of(seen: &Observation) -> Option<AppId> {
    seen.labels.get(label::APP)?.parse().ok()
}

/// The dyno name of a container, by its label.
pub(crate) fn name_of(seen: &Observation) -> Option<DynoName> {
    seen.labels.get(label::NAME)?.parse().ok()
}

fn ignore_missing(result: std::result::Result<(), EngineError>) -> Result<()> {
    match result {
        Err(EngineError::NotFound(_)) => Ok(()),
        other => other.map_err(Error::from),
    }
}

fn new_row(launch: &Launch, now: Timestamp) -> Dyno {
    let id = DynoId::new();
    Dyno {
        id,
        app: launch.app,
        name: launch.name.clone(),
        kind: DynoKind::Formation,
        size: launch.size,
        release: launch.release,
        command: launch.command.clone(),
        state: DynoState::Starting,
        env: BTreeMap::new(),
        image_type: None,
        attach_key: None,
        no_tty: false,
        user: None,
        time_limit: None,
        port: launch.name.process_type.is_web().then(|| spec::port(id)),
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
