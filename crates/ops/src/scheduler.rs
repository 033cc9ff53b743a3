//! Jobs of the scheduler, which the platform provides as an add-on: what runs when, and what came of it. The
//! loop that runs them calls [`decided`] and [`ended`].

mod jobs;
mod runs;

pub use jobs::{Set, create, destroy, info, list, update};
pub use runs::{Decided, Ended, decided, ended, history, run};

use crate::{Actor, Error, Ops, Permission, Result, addons};
use ::addons::Provided;
use domain::{Addon, App, Job, Run};
use store::Tx;

/// Jobs of one app at most.
const JOBS: usize = 100;
/// Runs of a job that are remembered.
const RUNS: u32 = 100;

/// A job with what the API tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobInfo {
    pub job: Job,
    pub last: Option<Run>,
}

/// An app that one may do this to, and its add-on.
async fn find(
    ops: &Ops,
    tx: &mut Tx,
    actor: &Actor,
    app: &str,
    permission: Permission,
) -> Result<(App, Addon)> {
    addons::find_provided(ops, tx, actor, app, permission, Provided::Scheduler, |app| {
        format!("The app {app} has no scheduler. Add it with `heroku addons:create scheduler:standard`.")
    })
    .await
}

/// A job of this add-on.
async fn find_job(tx: &mut Tx, addon: &Addon, identity: &str) -> Result<Job> {
    let found = match identity.parse() {
        Ok(id) => store::scheduler::by_id(tx, id).await?,
        Err(_) => None,
    };
    found.filter(|job| job.addon == addon.id).ok_or_else(|| Error::not_found("job"))
}

async fn describe(tx: &mut Tx, job: Job) -> Result<JobInfo> {
    let last = store::scheduler::runs::newest(tx, job.id).await?;
    Ok(JobInfo { job, last })
}
