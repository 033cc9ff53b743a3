//! What commands about the scheduler's jobs do alike.

use super::Result;
use anyhow::bail;
use client::Client;
use wire::scheduler::{Job, Run, Set};

/// When a job runs, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    /// "every 10 minutes", "hourly at :20", "daily at 05:30" (UTC), or a cron expression
    #[arg(short, long, value_name = "FREQUENCY")]
    every: Option<String>,
    /// The time zone of a cron expression, such as Europe/Berlin [default: UTC]
    #[arg(short, long, value_name = "ZONE")]
    timezone: Option<String>,
    /// The dyno's size [default: that of the app's web dynos]
    #[arg(short, long)]
    size: Option<String>,
    /// Leave a run out while the one before it still goes
    #[arg(long, overrides_with = "overlap")]
    no_overlap: bool,
    /// Begin a run also while the one before it still goes
    #[arg(long, overrides_with = "no_overlap")]
    overlap: bool,
}

impl SetArgs {
    pub(crate) fn set(self, command: Option<String>) -> Set {
        let overlap = match (self.overlap, self.no_overlap) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        Set { command, size: self.size, frequency: self.every, timezone: self.timezone, overlap }
    }
}

/// A job by its id, by the beginning of its id, or by its command.
pub(crate) async fn find(client: &Client, app: &str, identity: &str) -> Result<Job> {
    let jobs = client.jobs(app).await?;
    let is = |job: &&Job| job.command == identity || job.id.to_string().starts_with(identity);
    let found: Vec<_> = jobs.iter().filter(is).collect();
    match found[..] {
        [] => bail!("There is no job {identity}. kigo scheduler:jobs --app {app} lists them."),
        [one] => Ok(one.clone()),
        _ => {
            let ids: Vec<_> = found.iter().map(|job| short(job)).collect();
            bail!("{identity} may mean several jobs: {}. Name one by its id.", ids.join(", "))
        }
    }
}

/// Enough of a job's id to name it.
pub(crate) fn short(job: &Job) -> String {
    job.id.to_string().chars().take(8).collect()
}

/// `daily at 05:30`, `15 5 * * * Europe/Berlin`.
pub(crate) fn when(job: &Job) -> String {
    if job.timezone == "UTC" { job.frequency.clone() } else { format!("{} {}", job.frequency, job.timezone) }
}

/// `succeeded`, `failed: it exited with status 1`.
pub(crate) fn outcome(run: &Run) -> String {
    match &run.failure {
        Some(why) => format!("{}: {why}", run.status),
        None => run.status.clone(),
    }
}
