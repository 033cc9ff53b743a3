//! Runs release commands, each at most once, and makes releases current when theirs has succeeded.
//!
//! `ops` makes one dyno for a release and never a second one; the loop for dynos starts it, once,
//! under an id of its own. Here only the outcome is read off its row.

use crate::collect::Collected;
use crate::driver::{Loop, Turn};
use crate::error::{Error, Result};
use crate::output::{OutputId, Outputs};
use async_trait::async_trait;
use domain::{Dyno, DynoState, Release, ReleaseStatus};
use engine::Engine;
use ops::Ops;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The loop.
pub(crate) struct Releases {
    pub(crate) ops: Ops,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) outputs: Outputs,
    pub(crate) collected: Collected,
    /// Whether the outputs that an earlier server left open were looked after.
    pub(crate) closed: bool,
}

#[async_trait]
impl Loop for Releases {
    fn name(&self) -> &'static str {
        "releases"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        if !self.closed {
            self.close_outputs().await?;
            self.closed = true;
        }
        let pending = store::releases::pending(&mut self.ops.store().read().await?).await?;
        let mut busy = BTreeSet::new();
        // One command of an app at a time, in the order of the versions.
        for release in &pending {
            if !busy.contains(&release.app) && !self.advance(release).await? {
                busy.insert(release.app);
            }
        }
        Ok(Turn { detail: json!({ "pending": pending.len(), "running": busy.len() }), next: None })
    }
}

impl Releases {
    /// Ends the outputs of releases that have ended, in case a killed server did not get to it.
    async fn close_outputs(&self) -> Result<()> {
        for id in self.outputs.unfinished().await.map_err(Error::io("list outputs"))? {
            let OutputId::Release(release) = id else { continue };
            let row = store::releases::by_id(&mut self.ops.store().read().await?, release).await?;
            if row.is_some_and(|release| release.status != ReleaseStatus::Pending) {
                self.outputs.finish(id).await.map_err(Error::io("end a release's output"))?;
            }
        }
        Ok(())
    }

    /// Takes a release as far as it goes now; true if it has ended.
    async fn advance(&self, release: &Release) -> Result<bool> {
        let output = OutputId::Release(release.id);
        let Some(dyno) = ops::releases::start_command(&self.ops, release.id).await? else {
            let mut tx = self.ops.store().read().await?;
            let had_one = store::releases::command_dyno(&mut tx, release.id).await?.is_some();
            drop(tx);
            // Its dyno is lost, and whether the command ran nobody knows: it is not run again. A
            // release without a command has nothing to wait for.
            return self.finish(release, !had_one).await.map(|()| true);
        };
        if !self.outputs.exists(output).await {
            self.outputs.writer(output).await.map_err(Error::io("open a release's output"))?;
        }
        if !is_over(&dyno) || !self.collected.has_all_of(&*self.engine, dyno.id.0).await? {
            return Ok(false);
        }
        let success = dyno.state == DynoState::Complete && dyno.exit_status == Some(0);
        self.finish(release, success).await.map(|()| true)
    }

    async fn finish(&self, release: &Release, success: bool) -> Result<()> {
        ops::releases::finish_command(&self.ops, release.id, success).await?;
        self.outputs.finish(OutputId::Release(release.id)).await.map_err(Error::io("end a release's output"))
    }
}

/// Whether a dyno that runs once has ended.
pub(crate) fn is_over(dyno: &Dyno) -> bool {
    matches!(dyno.state, DynoState::Complete | DynoState::Crashed | DynoState::Down)
}
