//! What runs when. Who makes a job runs a command, so it takes what `heroku run` takes.

use super::{JOBS, JobInfo, describe, find, find_job};
use crate::{Actor, Error, Ops, Permission, Result, text, transfers};
use domain::{Account, DynoSize, Frequency, Job, JobId};

/// A job as it is asked for; what is `None` stays as it is, or as it usually is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub command: Option<String>,
    /// A dyno size's name; an empty one for that of the app's web dynos.
    pub size: Option<String>,
    pub frequency: Option<String>,
    pub timezone: Option<String>,
    pub overlap: Option<bool>,
}

/// An app's, oldest first.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<JobInfo>> {
    let mut tx = ops.store().read().await?;
    let (_, addon) = find(ops, &mut tx, actor, app, Permission::Read).await?;
    let mut list = Vec::new();
    for job in store::scheduler::of_addon(&mut tx, addon.id).await? {
        list.push(describe(&mut tx, job).await?);
    }
    Ok(list)
}

/// One by id.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, job: &str) -> Result<JobInfo> {
    let mut tx = ops.store().read().await?;
    let (_, addon) = find(ops, &mut tx, actor, app, Permission::Read).await?;
    let job = find_job(&mut tx, &addon, job).await?;
    describe(&mut tx, job).await
}

/// Adds one. It runs for due times from now on.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, input: Set) -> Result<JobInfo> {
    let mut write = ops.store().write().await?;
    let (app, addon) = find(ops, &mut write, actor, app, Permission::WriteProtected).await?;
    if store::scheduler::of_addon(&mut write, addon.id).await?.len() >= JOBS {
        return Err(Error::invalid(format!("An app can't have more than {JOBS} jobs.")));
    }
    let needed = |what: &str| Error::invalid(format!("The job's {what} is missing."));
    let frequency = input.frequency.as_deref().ok_or_else(|| needed("frequency"))?;
    let now = ops.now();
    let mut job = Job {
        id: JobId::new(),
        addon: addon.id,
        user: actor.account.id,
        command: String::new(),
        size: None,
        frequency: Frequency::parse(frequency)?,
        timezone: UTC.into(),
        overlap: true,
        decided_until: now,
        created_at: now,
        updated_at: now,
    };
    let input = Set { command: Some(input.command.ok_or_else(|| needed("command"))?), ..input };
    apply(&mut job, &input)?;
    store::scheduler::insert(&mut write, &job).await?;
    let lines = vec![said(&actor.account, "Add", &job)];
    ops.commit(write, app.id, lines).await?;
    Ok(JobInfo { job, last: None })
}

/// Changes one. With another frequency or time zone it runs for due times from now on.
pub async fn update(ops: &Ops, actor: &Actor, app: &str, job: &str, input: Set) -> Result<JobInfo> {
    let mut write = ops.store().write().await?;
    let (app, addon) = find(ops, &mut write, actor, app, Permission::WriteProtected).await?;
    let mut job = find_job(&mut write, &addon, job).await?;
    let before = job.clone();
    apply(&mut job, &input)?;
    let mut lines = Vec::new();
    if job != before {
        (job.user, job.updated_at) = (actor.account.id, ops.now());
        if (&job.frequency, &job.timezone) != (&before.frequency, &before.timezone) {
            job.decided_until = job.updated_at;
        }
        store::scheduler::update(&mut write, &job).await?;
        lines.push(said(&actor.account, "Update", &job));
    }
    let info = describe(&mut write, job).await?;
    ops.commit(write, app.id, lines).await?;
    Ok(info)
}

/// Removes one with its history. What runs of it runs on.
pub async fn destroy(ops: &Ops, actor: &Actor, app: &str, job: &str) -> Result<JobInfo> {
    let mut write = ops.store().write().await?;
    let (app, addon) = find(ops, &mut write, actor, app, Permission::WriteProtected).await?;
    let job = find_job(&mut write, &addon, job).await?;
    let info = describe(&mut write, job).await?;
    store::scheduler::delete(&mut write, info.job.id).await?;
    let lines = vec![said(&actor.account, "Remove", &info.job)];
    ops.commit(write, app.id, lines).await?;
    Ok(info)
}

const UTC: &str = "UTC";

fn apply(job: &mut Job, input: &Set) -> Result<()> {
    if let Some(command) = &input.command {
        text::check("Command", command.trim(), 32 * 1024, &['\n', '\t', '\r'])?;
        command.trim().clone_into(&mut job.command);
    }
    if let Some(size) = &input.size {
        job.size = if size.is_empty() { None } else { Some(size.parse::<DynoSize>()?) };
    }
    if let Some(frequency) = &input.frequency {
        job.frequency = Frequency::parse(frequency)?;
    }
    match &input.timezone {
        Some(timezone) => {
            transfers::schedules::timezone(timezone)?;
            job.timezone.clone_from(timezone);
        }
        // What goes by UTC has no other time zone left from before.
        None if !job.frequency.is_cron() => UTC.clone_into(&mut job.timezone),
        None => {}
    }
    if !job.frequency.is_cron() && job.timezone != UTC {
        return Err(Error::invalid(format!(
            "\"{}\" goes by UTC. A time zone goes with a cron expression.",
            job.frequency
        )));
    }
    if let Some(overlap) = input.overlap {
        job.overlap = overlap;
    }
    Ok(())
}

fn said(user: &Account, what: &str, job: &Job) -> String {
    text::by(user, format!("{what} job `{}` ({})", job.command, job.frequency))
}
