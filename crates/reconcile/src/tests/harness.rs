//! A whole Kigo without a network: real rows, real logs, real loops; a fake engine, builder and
//! router. The loops can be killed at any moment and started again.

use crate::{Build, Deps, OutputId, Outputs, Routing, Running, Settings, start};
use async_trait::async_trait;
use builder::{AppJsonResult, BuildError, BuildOutcome, BuildRequest, Output, TestRun};
use domain::route::{Backends, RouteTable};
use domain::{
    Account, AccountId, App, AppId, BuildId, BuildStatus, Digest, Dyno, DynoId, DynoState, LogLine, Release,
    ReleaseStatus,
};
use engine::fake::{Call, Fake, Step};
use futures_util::StreamExt;
use image::ImageStore;
use jiff::Timestamp;
use logs::{Logs, Query};
use ops::{Actor, AppLog, Ops};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::{Keys, Store};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Nothing here takes this long unless it never happens.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) engine: Fake,
    pub(crate) builder: Arc<FakeBuilder>,
    pub(crate) routing: Arc<FakeRouting>,
    pub(crate) ops: Ops,
    pub(crate) logs: Logs,
    pub(crate) outputs: Outputs,
    pub(crate) settings: Settings,
    pub(crate) actor: Actor,
    pub(crate) images: ImageStore,
    running: Option<(CancellationToken, Running)>,
    /// The last to go: nothing runs any more that could write to it.
    _dir: TempDir,
}

/// The `app[api]` lines go where all lines go.
struct Api(Logs);

impl AppLog for Api {
    fn log(&self, app: AppId, line: LogLine) {
        self.0.append(app, line);
    }
}

/// Builds what it is told to.
#[derive(Default)]
pub(crate) struct FakeBuilder {
    pub(crate) types: Mutex<BTreeMap<String, String>>,
    /// The next builds fail.
    pub(crate) fail: Mutex<bool>,
    /// Builds wait while this is locked.
    pub(crate) gate: tokio::sync::Mutex<()>,
    pub(crate) begun: Mutex<Vec<BuildId>>,
    /// What was asked of it last.
    pub(crate) last: Mutex<Option<BuildRequest>>,
    pub(crate) purged: Mutex<Vec<AppId>>,
    /// The `app.json` of every source.
    pub(crate) app_json: Mutex<Option<String>>,
    /// So often the machine fails to read it.
    pub(crate) unreadable: Mutex<u32>,
}

#[async_trait]
impl Build for FakeBuilder {
    async fn build(&self, request: BuildRequest, output: Output) -> Result<BuildOutcome, BuildError> {
        self.begun.lock().unwrap().push(request.build);
        *self.last.lock().unwrap() = Some(request.clone());
        output.heading("Building on the kigo-13 stack").await;
        tokio::select! {
            _ = self.gate.lock() => {}
            () = request.cancel.cancelled() => return Err(BuildError::Cancelled),
        }
        if *self.fail.lock().unwrap() {
            return Err(BuildError::NoLanguage);
        }
        let types = self.types.lock().unwrap().clone();
        Ok(BuildOutcome {
            image: Some(image_of(request.build)),
            images: BTreeMap::new(),
            checksum: Some(format!("SHA256:{}", "0".repeat(64))),
            size: 1000,
            process_types: types
                .into_iter()
                .map(|(name, command)| (name.parse().unwrap(), command))
                .collect(),
            buildpacks: Vec::new(),
            detected: true,
            description: "Node.js".into(),
            config_vars: BTreeMap::new(),
            addons: Vec::new(),
            stack: request.stack,
        })
    }

    async fn test(&self, request: BuildRequest, run: TestRun, output: Output) -> Result<i32, BuildError> {
        output.line(format!("on {}", run.branch.unwrap_or_default())).await;
        // Like a build, and a status that is asked for.
        let status = request.config_vars.0.get("EXIT").and_then(|text| text.parse().ok());
        self.build(request, output).await.map(|_| status.unwrap_or(0))
    }

    async fn app_json(&self, _: Digest) -> Result<Option<AppJsonResult>, BuildError> {
        let mut unreadable = self.unreadable.lock().unwrap();
        if let Some(left) = unreadable.checked_sub(1) {
            *unreadable = left;
            let source = io::ErrorKind::StorageFull.into();
            return Err(BuildError::System { doing: "unpacking".into(), source });
        }
        Ok(self.app_json.lock().unwrap().as_deref().map(domain::AppJson::parse))
    }

    async fn sweep(&self) -> Result<(), BuildError> {
        Ok(())
    }

    async fn service_image(&self, packages: &[String]) -> Result<Digest, BuildError> {
        Ok(Digest::from_bytes([packages.len() as u8; 32]))
    }

    fn purge_cache(&self, app: AppId) -> io::Result<()> {
        self.purged.lock().unwrap().push(app);
        Ok(())
    }

    fn forget_unused(&self) -> io::Result<()> {
        Ok(())
    }

    fn kept_images(&self) -> io::Result<Vec<Digest>> {
        Ok(Vec::new())
    }
}

/// An image that is a build's own.
fn image_of(build: BuildId) -> Digest {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(build.0.as_bytes());
    Digest::from_bytes(bytes)
}

/// Remembers tables.
#[derive(Default)]
pub(crate) struct FakeRouting {
    pub(crate) table: Mutex<RouteTable>,
    pub(crate) in_flight: Mutex<HashMap<DynoId, usize>>,
    /// Moments at which the app had a backend before and then had none.
    pub(crate) gaps: Mutex<usize>,
}

impl Routing for FakeRouting {
    fn publish(&self, table: &RouteTable) {
        let mut known = self.table.lock().unwrap();
        for (host, route) in &known.hosts {
            let ready = |backends: &Backends| matches!(backends, Backends::Ready(_));
            let next = table.hosts.get(host);
            if ready(&route.backends) && next.is_some_and(|next| !ready(&next.backends)) {
                *self.gaps.lock().unwrap() += 1;
            }
        }
        *known = table.clone();
    }

    fn in_flight(&self, dyno: DynoId) -> usize {
        self.in_flight.lock().unwrap().get(&dyno).copied().unwrap_or(0)
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_ops(change, ops::Settings::default()).await
    }

    pub(crate) async fn with_ops(change: impl FnOnce(&mut Settings), of_ops: ops::Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Keys::load(dir.path(), None).unwrap()).await.unwrap();
        let logs = Logs::open(logs::Config::new(dir.path().join("logs"))).unwrap();
        let mut settings = Settings::new(dir.path());
        settings.dynos.settle = Duration::from_millis(20);
        change(&mut settings);
        let ops = Ops::new(store, of_ops, Arc::new(Api(logs.clone())));
        let actor = account(&ops).await;
        let builder = FakeBuilder::default();
        builder.types.lock().unwrap().insert("web".into(), "node web.js -p $PORT".into());
        let engine = Fake::new();
        engine.script(behave);
        Self {
            engine,
            builder: Arc::new(builder),
            routing: Arc::default(),
            ops,
            logs,
            outputs: Outputs::new(dir.path()),
            settings,
            actor,
            images: ImageStore::open(dir.path()).unwrap(),
            running: None,
            _dir: dir,
        }
    }

    /// Operations on the same store with other settings.
    pub(crate) fn with_settings(&self, settings: ops::Settings) -> Ops {
        Ops::new(self.ops.store().clone(), settings, Arc::new(Api(self.logs.clone())))
    }

    pub(crate) fn start(&mut self) {
        let deps = Deps {
            ops: self.ops.clone(),
            engine: Arc::new(self.engine.clone()),
            builder: self.builder.clone(),
            images: self.images.clone(),
            logs: self.logs.clone(),
            outputs: self.outputs.clone(),
            routing: self.routing.clone(),
            storage: Arc::new(super::storage::Server::default()),
            show: Arc::new(super::webhooks::Rows(self.ops.clone())),
        };
        let shutdown = CancellationToken::new();
        let running = start(deps, self.settings.clone(), &shutdown);
        self.running = Some((shutdown, running));
    }

    /// Ends all loops wherever they are; what they only remembered is gone.
    pub(crate) async fn kill(&mut self) {
        if let Some((shutdown, mut running)) = self.running.take() {
            shutdown.cancel();
            running.tasks.shutdown().await;
            running.children.close();
            running.children.wait().await;
            // A killed process commits nothing after its successor has begun; here the thread of the
            // database lives on, so wait until it is done with what it was given.
            drop(self.ops.store().write().await.unwrap());
        }
    }

    pub(crate) fn ready(&self) -> bool {
        self.running.as_ref().is_some_and(|(_, running)| running.board().ready())
    }

    pub(crate) async fn create_app(&self, name: &str) -> App {
        let create = ops::apps::Create { name: Some(name.into()), ..ops::apps::Create::default() };
        ops::apps::create(&self.ops, &self.actor, create).await.unwrap().app
    }

    /// Sets the process types that builds find from now on.
    pub(crate) fn types(&self, types: &[(&str, &str)]) {
        *self.builder.types.lock().unwrap() =
            types.iter().map(|(name, command)| ((*name).to_owned(), (*command).to_owned())).collect();
    }

    pub(crate) async fn push(&self, app: &App, commit: &str) -> BuildId {
        let create = ops::builds::CreateFromBlob {
            source: Digest::from_bytes([1; 32]),
            description: "a push".into(),
            version: Some(commit.into()),
            version_description: None,
        };
        ops::builds::create_from_blob(&self.ops, &self.actor, app.name.as_str(), create)
            .await
            .unwrap()
            .build
            .id
    }

    /// Pushes and waits until the build and its release are over.
    pub(crate) async fn deploy(&self, app: &App, commit: &str) -> Release {
        let id = self.push(app, commit).await;
        self.build_ended(id).await;
        let build = self.build(id).await;
        let release = build.release.unwrap();
        self.until("the release ends", async || self.release(release).await.status != ReleaseStatus::Pending)
            .await;
        self.release(release).await
    }

    pub(crate) async fn build_ended(&self, id: BuildId) {
        self.until("the build ends", async || {
            self.build(id).await.status != BuildStatus::Pending
                && self.outputs.is_finished(OutputId::Build(id)).await
        })
        .await;
    }

    pub(crate) async fn build(&self, id: BuildId) -> domain::Build {
        store::builds::by_id(&mut self.ops.store().read().await.unwrap(), id).await.unwrap().unwrap()
    }

    async fn release(&self, id: domain::ReleaseId) -> Release {
        store::releases::by_id(&mut self.ops.store().read().await.unwrap(), id).await.unwrap().unwrap()
    }

    pub(crate) async fn scale(&self, app: &App, process_type: &str, quantity: i64) {
        let update = ops::formation::Update {
            process_type: process_type.into(),
            quantity: Some(ops::formation::Quantity::Absolute(quantity)),
            size: None,
        };
        ops::formation::update(&self.ops, &self.actor, app.name.as_str(), vec![update]).await.unwrap();
    }

    pub(crate) async fn rows(&self, app: &App) -> Vec<Dyno> {
        store::dynos::list(&mut self.ops.store().read().await.unwrap(), app.id).await.unwrap()
    }

    /// Waits until the app has exactly these dynos, all up, and no other container.
    pub(crate) async fn up(&self, app: &App, names: &[&str]) -> Vec<Dyno> {
        self.until(&format!("{names:?} are up"), async || {
            let rows = self.rows(app).await;
            let own = rows.iter().map(|dyno| dyno.name.to_string());
            rows.iter().all(|dyno| dyno.state == DynoState::Up)
                && own.eq(names.iter().map(|name| (*name).to_owned()))
                && self.engine.specs().len() == names.len()
        })
        .await;
        self.rows(app).await
    }

    pub(crate) fn backends(&self, app: &App) -> Option<Backends> {
        let table = self.routing.table.lock().unwrap();
        table.hosts.get(&format!("{}.localhost", app.name)).map(|route| route.backends.clone())
    }

    /// The dynos that get the app's requests.
    pub(crate) fn serving(&self, app: &App) -> Vec<DynoId> {
        match self.backends(app) {
            Some(Backends::Ready(backends)) => backends.iter().map(|backend| backend.dyno).collect(),
            _ => Vec::new(),
        }
    }

    /// The app's log without times; ids and ports replaced by words.
    pub(crate) async fn log(&self, app: &App) -> Vec<String> {
        let tail = self.logs.tail(app.id, Query { lines: 10_000, ..Query::default() });
        tail.map(|line| {
            let line = line.unwrap().line;
            let text = String::from_utf8_lossy(&line.message).into_owned();
            format!("{}[{}]: {text}", line.source.as_str(), line.process)
        })
        .collect()
        .await
    }

    pub(crate) async fn output(&self, id: OutputId) -> String {
        let stream = self.outputs.follow(id, 0).await.unwrap().unwrap();
        let pieces: Vec<_> = stream.map(|piece| piece.unwrap()).collect().await;
        String::from_utf8(pieces.concat()).unwrap()
    }

    /// The labels of the containers that were started, in order; removed ones too.
    pub(crate) fn starts(&self) -> usize {
        self.engine.calls().iter().filter(|call| matches!(call, Call::Start(_))).count()
    }

    pub(crate) async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let begun = Instant::now();
        while !condition().await {
            if begun.elapsed() > PATIENCE {
                let board = self.running.as_ref().map(|(_, running)| running.board().json());
                panic!("never: {what}\n{board:#?}\n{:#?}", self.engine.observe_all().await);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// What the dynos of the tests do, by their names and config vars.
fn behave(spec: &engine::ContainerSpec) -> Vec<Step> {
    let name = spec.labels.get("name").map(String::as_str).unwrap_or_default();
    let var = |name: &str| spec.env.get(name).and_then(|text| text.parse::<i32>().ok());
    let mut steps = vec![Step::Print(format!("hello from {name}"))];
    match name.split('.').next() {
        Some("web") if var("BROKEN").is_none() => steps.push(Step::Listen),
        Some("release" | "run" | "postdeploy" | "scheduler") => {
            let lines = var("LINES").unwrap_or(0);
            steps.extend((1..=lines).map(|line| Step::Print(format!("line {line}"))));
            steps.push(Step::Exit(var("EXIT").unwrap_or(0)));
        }
        _ => {}
    }
    steps
}

trait ObserveAll {
    async fn observe_all(&self) -> Vec<engine::Observation>;
}

impl ObserveAll for Fake {
    async fn observe_all(&self) -> Vec<engine::Observation> {
        engine::Engine::observe(self).await.unwrap_or_default()
    }
}

async fn account(ops: &Ops) -> Actor {
    let now = Timestamp::UNIX_EPOCH;
    let account = Account {
        id: AccountId::new(),
        email: "ada@example.com".into(),
        name: None,
        admin: true,
        created_at: now,
        updated_at: now,
        last_login: None,
    };
    let mut write = ops.store().write().await.unwrap();
    store::accounts::insert(&mut write, &account, None).await.unwrap();
    write.commit().await.unwrap();
    Actor { account, authorization: None }
}
