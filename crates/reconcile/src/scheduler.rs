//! Runs jobs of the scheduler when they are due, and writes down how their runs ended.
//!
//! `planner` says which due time is run for and which are left out, `ops` claims a due time in the transaction
//! that makes the dyno for it; the loop for dynos starts that one.

use crate::collect::Collected;
use crate::driver::{Loop, Turn};
use crate::error::{Result, chain};
use crate::releases::is_over;
use async_trait::async_trait;
use domain::{Job, Run};
use engine::Engine;
use jiff::Timestamp;
use ops::Ops;
use ops::scheduler::{Decided, Ended};
use planner::scheduler::{Decision, decide};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The loop.
pub(crate) struct Scheduler {
    pub(crate) ops: Ops,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) collected: Collected,
}

#[async_trait]
impl Loop for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let mut tx = self.ops.store().read().await?;
        let running = store::scheduler::runs::running(&mut tx).await?;
        let jobs = store::scheduler::active(&mut tx).await?;
        drop(tx);
        for run in &running {
            self.follow(run).await?;
        }
        let mut next = None::<Timestamp>;
        for job in &jobs {
            next = next.into_iter().chain(self.advance(job).await?).min();
        }
        let detail = json!({
            "jobs": jobs.len(), "running": running.len(), "next": next.map(|next| next.to_string()),
        });
        Ok(Turn { detail, next })
    }
}

impl Scheduler {
    /// Runs a job if it is due, and tells when it is next.
    async fn advance(&self, job: &Job) -> Result<Option<Timestamp>> {
        let timezone = match ops::transfers::schedules::timezone(&job.timezone) {
            Ok(timezone) => timezone,
            Err(error) => {
                tracing::error!(job = %job.id, error = chain(&error), "a job's time cannot be told");
                return Ok(None);
            }
        };
        let at = self.ops.now();
        let Decision { run, missed, next } = decide(job, &timezone, at);
        if run.is_some() || missed.is_some() {
            ops::scheduler::decided(&self.ops, job.id, Decided { run, missed, at }).await?;
        }
        Ok(next)
    }

    /// Writes down how a run ended, once all that it printed is in the app's log.
    async fn follow(&self, run: &Run) -> Result<()> {
        let dyno = match run.dyno {
            Some(id) => store::dynos::by_id(&mut self.ops.store().read().await?, id).await?,
            None => None,
        };
        let ended = match dyno {
            None => Ended::Lost,
            Some(dyno) if is_over(&dyno) && self.collected.has_all_of(&*self.engine, dyno.id.0).await? => {
                Ended::With(Box::new(dyno))
            }
            Some(_) => return Ok(()),
        };
        Ok(ops::scheduler::ended(&self.ops, run.id, ended).await?)
    }
}
