//! The installation that a test takes place in: all that a server has but its ports.

use super::report::Report;
use super::witness::Witness;
use super::{Subject, steps};
use crate::config::Config;
use crate::env::Endpoints;
use crate::server::parts::{self, Base};
use addons::{Catalog, Definition};
use anyhow::{Context, Result, bail};
use engine::Engine;
use ops::{Actor, Ops};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Failures after which an add-on cannot be had. Who runs a test waits for it.
const ATTEMPTS: u32 = 3;

/// What steps work with.
pub(super) struct Inside {
    pub(super) base: Base,
    pub(super) admin: Actor,
    pub(super) definition: Definition,
    pub(super) data: PathBuf,
    pub(super) patience: Duration,
    /// They run until the process ends.
    _loops: reconcile::Running,
}

/// What somebody waits for.
pub(super) enum Seen<T> {
    There(T),
    /// Why it is not there yet, as far as one can see.
    NotYet(String),
}

/// Runs the installation for as long as the test takes. Whoever started this process takes away what it
/// leaves.
pub(super) fn run(config: Config, subject: Subject) -> Result<ExitCode> {
    // Nobody else would end it when whoever started it is killed.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let witness = Witness::new();
    witness.listen();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let failed = runtime.block_on(test(config, subject, witness));
    runtime.shutdown_background();
    Ok(if failed? == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn test(config: Config, subject: Subject, witness: Witness) -> Result<usize> {
    let mut report = Report::new(witness.clone());
    let Subject { definition, plans, patience } = subject;
    Report::head(&format!("{} ({})", definition.name, definition.title));
    let shutdown = CancellationToken::new();
    let opened = async {
        let said = format!("a throw-away one in {}, {}", config.data_dir.display(), config.subnet);
        let inside = Box::pin(open(config, definition, patience, &shutdown)).await?;
        tokio::spawn(witness.follow(inside.base.engine.clone()));
        Ok((inside, said))
    };
    if let Some(inside) = report.step("installation", opened).await {
        steps::all(&inside, &plans, &mut report).await;
    }
    shutdown.cancel();
    Ok(report.failed())
}

/// Makes the installation and starts its loops, as a server does.
async fn open(
    config: Config,
    definition: Definition,
    patience: Duration,
    shutdown: &CancellationToken,
) -> Result<Inside> {
    let data = config.data_dir.clone();
    // Nothing listens there, and nothing asks.
    let endpoints =
        Endpoints { api_url: config.api_url(0), app_url: config.app_url(0), ca: data.join("ca/none.pem") };
    let base = parts::open(&config, &endpoints, Catalog::only(definition.clone())).await?;
    crate::stack::ensure_all(&base.images, &data, |_| ()).await?;
    let made = ops::accounts::bootstrap(&base.ops, ops::accounts::Bootstrap::default()).await?;
    let account = made.context("the place was not empty")?.account;
    let admin = ops::accounts::visitor(&base.ops, account.id).await?;
    let mut settings = parts::loop_settings(&config, &endpoints, &base);
    settings.addons.attempts = ATTEMPTS;
    let deps = parts::deps(&base, &router::Routes::new(), &endpoints);
    let loops = reconcile::start(deps, settings, shutdown);
    Ok(Inside { base, admin, definition, data, patience, _loops: loops })
}

impl Inside {
    pub(super) fn ops(&self) -> &Ops {
        &self.base.ops
    }

    pub(super) fn engine(&self) -> Arc<dyn Engine> {
        self.base.engine.clone()
    }

    /// Looks again whenever something may have changed, as long as a step may take.
    pub(super) async fn until<T>(&self, mut look: impl AsyncFnMut() -> Result<Seen<T>>) -> Result<T> {
        let deadline = Instant::now() + self.patience;
        let mut changes = self.base.engine.changes();
        loop {
            changes.mark_unchanged();
            match look().await? {
                Seen::There(found) => return Ok(found),
                Seen::NotYet(why) if Instant::now() > deadline => {
                    bail!("after {} s {why}", self.patience.as_secs());
                }
                Seen::NotYet(_) => {}
            }
            // Rows change without the engine's knowing.
            let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
        }
    }
}
