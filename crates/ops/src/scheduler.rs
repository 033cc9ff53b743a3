//! Jobs of the scheduler, which the platform provides as an add-on: what runs when, and what came of it. The
//! loop that runs them calls [`decided`] and [`ended`].

mod jobs;
mod runs;

pub use jobs::{Set, create, destroy, info, list, update};
pub use runs::{Decided, Ended, decided, ended, history, run};

use crate::access::{self, Role};
use crate::{Actor, Error, Ops, Permission, Result};
use ::addons::Provided;
use domain::{Addon, AddonState, App, Job, Run};
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
    let app = access::app(tx, actor, app, permission, Role::Collaborator).await?;
    let found = crate::addons::provided(ops, tx, &app, Provided::Scheduler).await?;
    let missing = || Error::NotFound {
        resource: "add_on",
        message: format!(
            "The app {} has no scheduler. Add it with `heroku addons:create scheduler:standard`.",
            app.name
        ),
    };
    let addon = found.filter(|addon| addon.state == AddonState::Provisioned).ok_or_else(missing)?;
    Ok((app, addon))
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
