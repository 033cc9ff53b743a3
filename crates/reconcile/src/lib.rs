//! The loops that make the world as users wish it: each looks at rows and containers, plans, acts and
//! writes down what it saw.
//!
//! A loop takes no message but "look again", so it is right after a restart as it is any other time.
//! It decides little itself (`planner` does) and changes no wish behind anybody's back: a loop that
//! needs one calls `ops`. What it refuses to do: hold anything in memory that would be missed after
//! a kill.

mod alerts;
mod bases;
mod builder_seam;
mod builds;
mod collect;
mod drains;
mod driver;
mod dynos;
mod error;
mod fetch;
mod lines;
mod metrics;
mod notices;
mod output;
mod own_image;
mod partners;
mod reach;
mod releases;
mod routes;
mod scheduler;
mod send;
mod services;
mod setups;
mod shelf;
mod spec;
mod storage;
mod sweep;
#[cfg(test)]
mod tests;
mod transfers;
mod webhooks;
mod world;

pub use alerts::keep_logs;
pub use builder_seam::Build;
pub use driver::Board;
pub use error::{Error, Result};
pub use notices::Operator;
pub use output::{OutputId, OutputStream, OutputWriter, Outputs};
pub use send::Mail;
pub use services::service_start;
pub use shelf::{Shelf, StoreError as ShelfError};
pub use storage::{Answer, Storage};
pub use webhooks::Show;

use collect::Collected;
use domain::DynoId;
use domain::route::RouteTable;
use driver::{Loop, Nudge, drive};
use engine::Engine;
use image::ImageStore;
use ipnet::IpNet;
use logs::Logs;
use ops::Ops;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Table;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The router, as the loops see it.
pub trait Routing: Send + Sync + 'static {
    /// Puts a table in force. When it returns, no request is newly given to a dyno that is not in
    /// the table.
    fn publish(&self, table: &RouteTable);

    /// Requests that a dyno has not answered yet. Upgraded connections do not count: they may last
    /// for days, and end when their dyno is told to stop.
    fn in_flight(&self, dyno: DynoId) -> usize;
}

/// What an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// Where backups lie.
    pub shelf: Shelf,
    pub dynos: planner::dynos::Settings,
    pub addons: planner::addons::Settings,
    pub archives: planner::archives::Settings,
    pub partners: planner::partners::Settings,
    pub webhooks: planner::webhooks::Settings,
    pub drains: planner::drains::Settings,
    /// How long a partner may take to answer (Heroku's figure).
    pub partner_patience: Duration,
    /// Bytes that a dyno may write to its own file system.
    pub dyno_disk: u64,
    /// Builds that run at the same time.
    pub max_builds: usize,
    /// Bytes of a source that is downloaded, at most.
    pub source_limit: u64,
    /// How long a download may take.
    pub fetch_timeout: Duration,
    /// After a failure of this machine's to read a setup's source it rests this long, after each
    /// further one twice as long.
    pub setup_rest: Duration,
    /// What of the server's own network sources may be downloaded from: private ranges, loopback,
    /// addresses of the machine. The metadata services of clouds are never among it.
    pub source_networks: Vec<IpNet>,
    /// What of the server's own network alerts may be posted to.
    pub alert_networks: Vec<IpNet>,
    /// What of the server's own network log drains may lie in.
    pub drain_networks: Vec<IpNet>,
    /// Where alerts by e-mail are handed in.
    pub mail: Option<Mail>,
    /// Who is told of backups that are worth nothing, besides those who may see the app.
    pub operator: Option<Operator>,
    /// Slugs of older releases than so many of an app's newest are given up.
    pub kept_releases: usize,
    /// So many of an app's newest builds are remembered, with what they printed.
    pub kept_builds: usize,
    /// What nothing in the registry refers to is kept for so long.
    pub registry_grace: Duration,
    /// How people reach apps; `{app}` stands for the app's name.
    pub app_url: String,
}

impl Settings {
    /// The usual settings for a data directory.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Self {
            shelf: Shelf::here(&data),
            data,
            dynos: planner::dynos::Settings::default(),
            addons: planner::addons::Settings::default(),
            archives: planner::archives::Settings::default(),
            partners: planner::partners::Settings::default(),
            webhooks: planner::webhooks::Settings::default(),
            drains: planner::drains::Settings::default(),
            partner_patience: Duration::from_secs(25),
            dyno_disk: 4 << 30,
            max_builds: 2,
            source_limit: 1 << 30,
            fetch_timeout: Duration::from_mins(5),
            setup_rest: Duration::from_secs(1),
            source_networks: Vec::new(),
            alert_networks: Vec::new(),
            drain_networks: Vec::new(),
            mail: None,
            operator: None,
            kept_releases: 20,
            kept_builds: 50,
            registry_grace: Duration::from_hours(24),
            app_url: "http://{app}.localhost:8080/".into(),
        }
    }
}

/// What the loops work with.
#[derive(Clone)]
pub struct Deps {
    pub ops: Ops,
    pub engine: Arc<dyn Engine>,
    pub builder: Arc<dyn Build>,
    pub images: ImageStore,
    pub logs: Logs,
    /// Shared with whoever lets users follow outputs.
    pub outputs: Outputs,
    pub routing: Arc<dyn Routing>,
    pub storage: Arc<dyn Storage>,
    /// How apps look, for those who want to be told.
    pub show: Arc<dyn Show>,
}

/// The running loops.
pub struct Running {
    board: Board,
    tasks: JoinSet<()>,
    /// What loops have started beside themselves: builds, carriers of output.
    children: TaskTracker,
}

impl Running {
    /// How the loops are doing.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Waits until all loops have ended, which they do some time after `shutdown`.
    pub async fn ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
        self.children.close();
        self.children.wait().await;
    }
}

/// Starts all loops. They end after `shutdown`, each when its turn is over; dynos run on.
pub fn start(deps: Deps, settings: Settings, shutdown: &CancellationToken) -> Running {
    let settings = Arc::new(settings);
    let mut starter = Starter {
        deps,
        shutdown: shutdown.clone(),
        board: Board::default(),
        tasks: JoinSet::new(),
        children: TaskTracker::new(),
    };
    starter.all(&settings);
    Running { board: starter.board, tasks: starter.tasks, children: starter.children }
}

/// Wires the loops to what wakes them. One screen: what runs and why it runs.
struct Starter {
    deps: Deps,
    shutdown: CancellationToken,
    board: Board,
    tasks: JoinSet<()>,
    children: TaskTracker,
}

impl Starter {
    fn all(&mut self, settings: &Arc<Settings>) {
        let Deps { ops, engine, builder, images, logs, outputs, routing, storage, show } = self.deps.clone();
        let collected = Collected::new();
        let swept = CancellationToken::new();
        let publisher = routes::Publisher::new(ops.clone(), routing, Arc::new(settings.dynos.clone()));

        let nudge =
            self.nudged_by(&[Table::Apps, Table::Formation, Table::Releases, Table::Dynos, Table::Domains]);
        self.start(publisher.clone(), nudge);

        let nudge =
            self.nudged_by(&[Table::Apps, Table::Formation, Table::Releases, Table::Dynos, Table::AppSetups]);
        nudge.on(self.deps.ops.store().changes_of(Table::Scheduler), &self.shutdown);
        nudge.on(engine.changes(), &self.shutdown);
        nudge.on(collected.changes(), &self.shutdown);
        let dynos = dynos::Dynos {
            ops: ops.clone(),
            engine: engine.clone(),
            images: images.clone(),
            logs: logs.clone(),
            publisher,
            collected: collected.clone(),
            settings: settings.clone(),
            memory: dynos::Memory::default(),
        };
        self.start(dynos, nudge);

        let nudge = self.nudged_by(&[]);
        nudge.on(engine.changes(), &self.shutdown);
        let collect = collect::Collect {
            ops: ops.clone(),
            engine: engine.clone(),
            logs: logs.clone(),
            outputs: outputs.clone(),
            collected: collected.clone(),
            shutdown: self.shutdown.clone(),
            children: self.children.clone(),
            tasks: std::collections::HashMap::new(),
        };
        self.start(collect, nudge);

        let nudge = self.nudged_by(&[Table::Releases, Table::Dynos]);
        nudge.on(collected.changes(), &self.shutdown);
        let releases = releases::Releases {
            ops: ops.clone(),
            engine: engine.clone(),
            outputs: outputs.clone(),
            collected: collected.clone(),
            closed: false,
        };
        self.start(releases, nudge);

        let nudge = self.nudged_by(&[Table::Scheduler, Table::Addons, Table::Dynos]);
        nudge.on(collected.changes(), &self.shutdown);
        let scheduler =
            scheduler::Scheduler { ops: ops.clone(), engine: engine.clone(), collected: collected.clone() };
        self.start(scheduler, nudge);

        let nudge =
            self.nudged_by(&[Table::AppSetups, Table::Addons, Table::Builds, Table::Releases, Table::Dynos]);
        nudge.on(collected.changes(), &self.shutdown);
        let setups = setups::Setups {
            ops: ops.clone(),
            engine: engine.clone(),
            builder: builder.clone(),
            images: images.clone(),
            outputs: outputs.clone(),
            settings: settings.clone(),
            collected: collected.clone(),
            nudge: nudge.clone(),
            shutdown: self.shutdown.clone(),
            children: self.children.clone(),
            readers: std::collections::HashMap::new(),
        };
        self.start(setups, nudge);

        let nudge = self.nudged_by(&[Table::Builds]);
        let worker = builds::Worker {
            ops: ops.clone(),
            builder: builder.clone(),
            images: images.clone(),
            outputs: outputs.clone(),
            settings: settings.clone(),
        };
        let builds = builds::Builds {
            worker,
            nudge: nudge.clone(),
            shutdown: self.shutdown.clone(),
            children: self.children.clone(),
            running: std::collections::HashMap::new(),
            closed: false,
            swept: swept.clone(),
        };
        self.start(builds, nudge);

        let nudge = self.nudged_by(&[]);
        self.start(storage::Watch { ops: ops.clone(), servers: storage }, nudge);

        let nudge = self.nudged_by(&[Table::Addons, Table::Transfers]);
        nudge.on(engine.changes(), &self.shutdown);
        nudge.on(collected.changes(), &self.shutdown);
        let worker = services::Worker::new(
            ops.clone(),
            engine.clone(),
            builder.clone(),
            settings.data.clone(),
            swept.clone(),
            self.shutdown.clone(),
        );
        let at_work = services::AtWork::default();
        let samples = services::Samples::new(worker.clone(), logs.clone(), at_work.clone());
        let archives_nudge = self.nudged_by(&[Table::Addons]);
        archives_nudge.on(engine.changes(), &self.shutdown);
        let archives = services::Archives {
            worker: worker.clone(),
            settings: settings.archives,
            patience: settings.addons,
            nudge: archives_nudge.clone(),
            children: self.children.clone(),
            at_work: at_work.clone(),
            copying: services::Copying::default(),
        };
        self.start(archives, archives_nudge);
        let services = services::Services {
            worker: worker.clone(),
            settings: settings.addons,
            nudge: nudge.clone(),
            children: self.children.clone(),
            at_work: at_work.clone(),
            collected,
        };
        self.start(services, nudge);

        let nudge = self.nudged_by(&[Table::Addons]);
        self.start(samples, nudge);

        let nudge = self.nudged_by(&[Table::Addons, Table::Partners]);
        let asking = partners::Partners {
            worker: partners::Worker {
                ops: ops.clone(),
                caller: partners::Caller::new(settings.partner_patience),
                settings: settings.partners,
                shutdown: self.shutdown.clone(),
                busy: Arc::default(),
            },
            nudge: nudge.clone(),
            children: self.children.clone(),
        };
        self.start(asking, nudge);

        let nudge = self.nudged_by(&[Table::Transfers, Table::Addons]);
        nudge.on(engine.changes(), &self.shutdown);
        let worker = transfers::Worker { services: worker, at_work, settings: settings.clone() };
        self.start(transfers::Transfers::new(worker, nudge.clone(), self.children.clone()), nudge);

        let nudge = self.nudged_by(&webhooks::LOOKED_AT);
        let telling = webhooks::Webhooks {
            show,
            worker: webhooks::Worker::new(
                ops.clone(),
                webhooks::Sender::new(&settings.source_networks),
                settings.webhooks,
                self.shutdown.clone(),
            ),
            nudge: nudge.clone(),
            children: self.children.clone(),
            rested: tokio::time::Instant::now(),
        };
        self.start(telling, nudge);

        let nudge = self.nudged_by(&[Table::Drains]);
        let (shutdown, children) = (self.shutdown.clone(), self.children.clone());
        self.start(drains::Drains::new(ops.clone(), logs.clone(), settings, shutdown, children), nudge);

        let nudge = self.nudged_by(&[Table::Papertrail, Table::Addons]);
        let alerts = alerts::Alerts { ops: ops.clone(), logs: logs.clone(), settings: settings.clone() };
        self.start(alerts, nudge);

        let nudge = self.nudged_by(&[Table::Notices]);
        self.start(notices::Notices { ops: ops.clone(), settings: settings.clone() }, nudge);

        let nudge = self.nudged_by(&[]);
        self.start(metrics::Metrics { ops: ops.clone(), engine: engine.clone(), logs: logs.clone() }, nudge);

        let nudge = self.nudged_by(&[Table::Chores]);
        let settings = settings.clone();
        let sweep = sweep::Sweep {
            ops,
            engine,
            builder,
            images,
            logs,
            outputs,
            settings,
            cleared: None,
            thorough: None,
        };
        self.start(sweep, nudge);
    }

    fn nudged_by(&self, tables: &[Table]) -> Nudge {
        let nudge = Nudge::default();
        for table in tables {
            nudge.on(self.deps.ops.store().changes_of(*table), &self.shutdown);
        }
        nudge
    }

    fn start(&mut self, work: impl Loop, nudge: Nudge) {
        self.board.expect(work.name());
        self.tasks.spawn(drive(work, nudge, self.board.clone(), self.shutdown.clone()));
    }
}
