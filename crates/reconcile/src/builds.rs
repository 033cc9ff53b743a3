//! Runs builds: oldest first, one of an app at a time, a few on the whole machine.
//!
//! A build that was cut off by the end of the server is begun again; its output goes on in the same
//! file. Only its end, written with the slug and the release in one transaction, is final.

mod addons;
mod made;

use crate::bases::OfAccount;
use crate::driver::{Loop, Nudge, Turn};
use crate::error::{Error, Result, chain};
use crate::fetch::fetch;
use crate::output::{OutputId, OutputWriter, Outputs};
use crate::{Build as Carry, Settings};
use async_trait::async_trait;
use builder::{BuildRequest, Output, TestRun};
use domain::{Build, BuildId, BuildStatus, BuildpackRef, Digest};
use image::ImageStore;
use jiff::SignedDuration;
use ops::Ops;
use ops::builds::{Finished, Outcome};
use planner::builds::{Waiting, pick};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const RELEASE_COMMAND: &str =
    " !     Release command declared: this new release will not be available until the command succeeds.";

/// The config var by which Heroku's users chose a buildpack before there was a list of them.
const BUILDPACK_URL: &str = "BUILDPACK_URL";
const DEPRECATED: &str = " !     The config var BUILDPACK_URL takes the place of this app's buildpacks. It is deprecated:\n !     use `heroku buildpacks:set` and unset it.";

/// There is one server to a data directory, and it holds the lock on it: whoever had the lease
/// before is gone.
const OWNER: &str = "server";
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// Leases are prolonged after this long.
const PROLONG: Duration = Duration::from_secs(30);
/// Lines of a build that are written at once, when it prints many.
const LINES: usize = 256;
/// A build that was cut off this often is given up: it may be what takes the server down.
const ATTEMPTS: u64 = 3;

/// The loop.
pub(crate) struct Builds {
    pub(crate) worker: Worker,
    pub(crate) nudge: Nudge,
    pub(crate) shutdown: CancellationToken,
    pub(crate) children: TaskTracker,
    pub(crate) running: HashMap<BuildId, Running>,
    /// Whether what an earlier server left was looked after.
    pub(crate) closed: bool,
    /// Cancelled once what an earlier server was building is gone.
    pub(crate) swept: CancellationToken,
}

pub(crate) struct Running {
    cancel: CancellationToken,
    task: JoinHandle<()>,
    /// When its lease was taken or prolonged last.
    leased: Instant,
}

/// What one build needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) ops: Ops,
    pub(crate) builder: Arc<dyn Carry>,
    pub(crate) images: ImageStore,
    pub(crate) outputs: Outputs,
    pub(crate) settings: Arc<Settings>,
}

#[async_trait]
impl Loop for Builds {
    fn name(&self) -> &'static str {
        "builds"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(20)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        if !self.closed {
            if let Err(error) = self.worker.builder.sweep().await {
                // Each build cleans up after its own predecessor in any case.
                tracing::warn!(error = chain(&error), "could not remove what earlier builds left");
            }
            self.swept.cancel();
            self.worker.close_outputs().await?;
            self.closed = true;
        }
        self.running.retain(|_, running| !running.task.is_finished());
        let ops = self.worker.ops.clone();
        let queued = store::builds::pending(&mut ops.store().read().await?).await?;
        let wanted: HashMap<_, _> = queued.iter().map(|queued| (queued.build.id, &queued.build)).collect();
        for (id, running) in &mut self.running {
            // Its app is gone, or somebody does not want it any more.
            if wanted.get(id).is_none_or(|build| build.cancel_requested) {
                running.cancel.cancel();
            } else if running.leased.elapsed() > PROLONG {
                ops::builds::lease(&ops, *id, OWNER, LEASE).await?;
                running.leased = Instant::now();
            }
        }
        let waiting: Vec<_> = queued
            .iter()
            .map(|queued| Waiting {
                build: queued.build.id,
                app: queued.build.app,
                running: self.running.contains_key(&queued.build.id),
                created_at: queued.build.created_at,
            })
            .collect();
        for id in pick(&waiting, self.worker.settings.max_builds) {
            if let Some(build) = ops::builds::lease(&ops, id, OWNER, LEASE).await? {
                self.begin(build);
            }
        }
        let running = self.running.len();
        let detail = json!({ "running": running, "waiting": queued.len().saturating_sub(running) });
        Ok(Turn { detail, next: None })
    }
}

impl Builds {
    fn begin(&mut self, build: Build) {
        let id = build.id;
        let cancel = CancellationToken::new();
        if build.cancel_requested {
            cancel.cancel();
        }
        let (worker, nudge, shutdown) = (self.worker.clone(), self.nudge.clone(), self.shutdown.clone());
        let token = cancel.clone();
        let task = self.children.spawn(async move {
            tokio::select! {
                // The build stays pending; the next server begins it again.
                () = shutdown.cancelled() => return,
                result = worker.run(build, token) => if let Err(error) = result {
                    tracing::error!(build = %id, error = chain(&error), "a build could not be carried out");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            nudge.now();
        });
        self.running.insert(id, Running { cancel, task, leased: Instant::now() });
    }
}

impl Worker {
    /// Ends the outputs of builds that have ended, in case a killed server did not get to it.
    async fn close_outputs(&self) -> Result<()> {
        for id in self.outputs.unfinished().await.map_err(Error::io("list outputs"))? {
            let OutputId::Build(build) = id else { continue };
            let mut tx = self.ops.store().read().await?;
            let Some(build) = store::builds::by_id(&mut tx, build).await? else { continue };
            if build.status == BuildStatus::Pending {
                continue;
            }
            let release = match build.release {
                Some(release) => store::releases::by_id(&mut tx, release).await?,
                None => None,
            };
            drop(tx);
            let mut writer = self.outputs.writer(id).await.map_err(Error::io("open a build's output"))?;
            self.say_launching(&Finished { build, release }, &mut writer).await?;
            writer.end().await.map_err(Error::io("end a build's output"))?;
            self.outputs.finish(id).await.map_err(Error::io("end a build's output"))?;
        }
        Ok(())
    }

    /// Carries one build to its end. An error leaves it pending.
    async fn run(&self, build: Build, cancel: CancellationToken) -> Result<()> {
        let id = OutputId::Build(build.id);
        let attempt = self.count_attempt(build.id).await?;
        let mut writer = self.outputs.writer(id).await.map_err(Error::io("open a build's output"))?;
        let outcome = if attempt > ATTEMPTS {
            say(&mut writer, " !     The server ended during this build again and again. Giving up.").await?;
            Outcome::Failed
        } else {
            if attempt > 1 {
                say(&mut writer, "-----> The server was restarted, building again").await?;
            }
            self.build(&build, cancel, &mut writer).await?
        };
        if let Some(finished) = ops::builds::finish(&self.ops, build.id, outcome).await? {
            self.say_launching(&finished, &mut writer).await?;
        }
        writer.end().await.map_err(Error::io("end a build's output"))?;
        self.outputs.finish(id).await.map_err(Error::io("end a build's output"))
    }

    /// Downloads the source if need be and builds it, or tests it. Why that failed is in its output.
    async fn build(
        &self,
        build: &Build,
        cancel: CancellationToken,
        writer: &mut OutputWriter,
    ) -> Result<Outcome> {
        let Some(source) = self.source(build, writer).await? else { return Ok(Outcome::Failed) };
        let mut request = self.request(build, source, cancel.clone()).await?;
        let by_config = request.config_vars.0.get(BUILDPACK_URL).map(|url| url.trim());
        if let Some(url) = by_config.filter(|url| build.buildpacks.is_empty() && !url.is_empty()) {
            say(writer, DEPRECATED).await?;
            request.buildpacks = vec![BuildpackRef(url.to_owned())];
        }
        let (sender, lines) = mpsc::channel(LINES);
        let output = Output::new(sender);
        let Some(test) = &build.test else {
            let building = self.builder.build(request, output);
            return match listened(build.id, building, lines, writer).await {
                Ok(made) => {
                    self.add_addons(build, &made.addons, &cancel, writer).await?;
                    made::outcome(&self.images, made).await
                }
                Err(_) => Ok(Outcome::Failed),
            };
        };
        let run = TestRun { id: build.id.0, branch: test.branch.clone() };
        let testing = self.builder.test(request, run, output);
        let ended = listened(build.id, testing, lines, writer).await;
        Ok(ended.map_or(Outcome::Failed, Outcome::Tested))
    }

    /// A build with what its app has been given.
    async fn request(
        &self,
        build: &Build,
        source: Digest,
        cancel: CancellationToken,
    ) -> Result<BuildRequest> {
        let mut tx = self.ops.store().read().await?;
        let mut buildpacks = build.buildpacks.clone();
        if buildpacks.is_empty() {
            buildpacks = store::buildpacks::of(&mut tx, build.app).await?;
        }
        let told = ops::features::is_enabled(&mut tx, build.app, ops::features::BUILD_METADATA).await?;
        Ok(BuildRequest {
            build: build.id,
            app: build.app,
            source,
            buildpacks,
            stack: build.stack.clone(),
            config_vars: match &build.test {
                Some(test) => test.env.clone(),
                None => store::configs::of_app(&mut tx, build.app).await?,
            },
            source_version: build.source_version.clone(),
            metadata: if told { metadata(build) } else { BTreeMap::new() },
            request_id: build.id.to_string(),
            bases: Arc::new(OfAccount { ops: self.ops.clone(), account: build.user }),
            cancel,
        })
    }

    async fn source(&self, build: &Build, writer: &mut OutputWriter) -> Result<Option<Digest>> {
        if let Some(source) = build.source {
            return Ok(Some(source));
        }
        let Settings { source_limit, fetch_timeout, source_networks, .. } = &*self.settings;
        let (url, checksum) = (&build.source_url, build.source_checksum.as_deref());
        match fetch(&self.images, url, checksum, *source_limit, *fetch_timeout, source_networks).await {
            Ok(digest) => {
                ops::builds::set_source(&self.ops, build.id, digest).await?;
                Ok(Some(digest))
            }
            Err(error) => {
                say(writer, &format!(" !     {error}")).await?;
                say(writer, " !").await?;
                say(writer, " !     Push rejected.").await?;
                Ok(None)
            }
        }
    }

    /// The last words of a build that made a release.
    async fn say_launching(&self, finished: &Finished, writer: &mut OutputWriter) -> Result<()> {
        let Some(release) = &finished.release else { return Ok(()) };
        let app = store::apps::by_id(&mut self.ops.store().read().await?, release.app).await?;
        let mut lines = vec!["-----> Launching...".to_owned()];
        if release.output_key.is_some() {
            lines.push(RELEASE_COMMAND.to_owned());
        }
        lines.push(format!("       Released v{}", release.version));
        if let Some(app) = app {
            let address = self.settings.app_url.replace("{app}", app.name.as_str());
            lines.push(format!("       {address} deployed to Kigo"));
        }
        // All or nothing, but for a kill within this one write.
        say(writer, &lines.join("\n")).await
    }

    /// How many times this build was begun, this time included.
    async fn count_attempt(&self, id: BuildId) -> Result<u64> {
        let dir = self.settings.data.join("builds").join(id.to_string());
        let failed = || Error::io("count a build's attempts");
        tokio::fs::create_dir_all(&dir).await.map_err(failed())?;
        let path = dir.join("attempts");
        let before = tokio::fs::read_to_string(&path).await.ok().and_then(|text| text.trim().parse().ok());
        let attempt = before.unwrap_or(0_u64) + 1;
        tokio::fs::write(&path, attempt.to_string()).await.map_err(failed())?;
        Ok(attempt)
    }
}

/// Heroku's names for what is known of a build's source.
fn metadata(build: &Build) -> BTreeMap<String, String> {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    BTreeMap::from([
        ("HEROKU_BUILD_COMMIT".into(), of(&build.source_version)),
        ("HEROKU_BUILD_DESCRIPTION".into(), of(&build.source_version_description)),
    ])
}

/// Waits for the end of `work`, and writes down what it says meanwhile.
async fn listened<T>(
    build: BuildId,
    work: impl Future<Output = T>,
    mut lines: mpsc::Receiver<String>,
    writer: &mut OutputWriter,
) -> T {
    let writing = async {
        let (mut result, mut some) = (Ok(()), Vec::new());
        while lines.recv_many(&mut some, LINES).await > 0 {
            // A full disk ends the output, not the build; its end is told all the same.
            if result.is_ok() {
                result = say(writer, &some.join("\n")).await;
            }
            some.clear();
        }
        result
    };
    let (ended, written) = tokio::join!(work, writing);
    if let Err(error) = written {
        tracing::warn!(%build, error = chain(&error), "lost a part of a build's output");
    }
    ended
}

async fn say(writer: &mut OutputWriter, line: &str) -> Result<()> {
    writer.line(line).await.map_err(Error::io("write a build's output"))
}
