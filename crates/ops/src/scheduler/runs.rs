//! Runs of jobs. The row of a run claims its due time, and is made in the transaction that makes its dyno: a
//! due time has one dyno at most, wherever the server is killed.

use super::{RUNS, find, find_job};
use crate::one_offs::{self, blank_dyno, free_number};
use crate::{Actor, Error, Ops, Permission, Result, text};
use domain::{
    AccountId, AddonState, App, Dyno, DynoSize, DynoState, Job, JobId, ProcessType, Run, RunId, RunState,
};
use jiff::{SignedDuration, Timestamp};
use store::Write;

/// How long a job may run, in seconds: as long as a one-off dyno.
const TIME_LIMIT: u32 = 86_400;
/// In whose name Heroku's scheduler runs commands.
const SCHEDULER: &str = "scheduler@addons.heroku.com";

/// A job's runs, newest first; of all jobs for `None`.
pub async fn history(ops: &Ops, actor: &Actor, app: &str, job: Option<&str>) -> Result<Vec<(Job, Run)>> {
    let mut tx = ops.store().read().await?;
    let (_, addon) = find(ops, &mut tx, actor, app, Permission::Read).await?;
    let jobs = match job {
        Some(job) => vec![find_job(&mut tx, &addon, job).await?],
        None => store::scheduler::of_addon(&mut tx, addon.id).await?,
    };
    let mut list = Vec::new();
    for job in jobs {
        let runs = store::scheduler::runs::of_job(&mut tx, job.id).await?;
        list.extend(runs.into_iter().map(|run| (job.clone(), run)));
    }
    list.sort_by_key(|(_, run)| std::cmp::Reverse(run.created_at));
    list.truncate(RUNS as usize);
    Ok(list)
}

/// Runs one now, whatever its time, and also while the app is in maintenance mode.
pub async fn run(ops: &Ops, actor: &Actor, app: &str, job: &str) -> Result<(Job, Run)> {
    let mut write = ops.store().write().await?;
    let (app, addon) = find(ops, &mut write, actor, app, Permission::WriteProtected).await?;
    let job = find_job(&mut write, &addon, job).await?;
    if let Some(last) = overlapping(&mut write, &job).await? {
        return Err(Error::Conflict(format!("The job is running, as {last}, and may not overlap.")));
    }
    let dyno = dyno(ops, &mut write, &app, &job, actor.account.id).await?;
    let mut run = blank(job.id, None, ops.now());
    claim(&mut write, &mut run, &dyno).await?;
    let line = text::by(&actor.account, format!("Starting process with command `{}`", dyno.command));
    ops.commit(write, app.id, vec![line]).await?;
    Ok((job, run))
}

/// What was decided about a job's due times. Takes no actor, as the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The due time that it runs for.
    pub run: Option<Timestamp>,
    /// The first of those that are left out, because no server was there.
    pub missed: Option<Timestamp>,
    /// When that was decided.
    pub at: Timestamp,
}

/// Runs a job for a due time, or notes why it does not. Doing it twice does nothing more.
pub async fn decided(ops: &Ops, id: JobId, decided: Decided) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(job) = store::scheduler::by_id(&mut write, id).await? else { return Ok(()) };
    let Some(addon) = store::addons::by_id(&mut write, job.addon).await? else { return Ok(()) };
    let Some(app) = store::apps::by_id(&mut write, addon.app).await? else { return Ok(()) };
    let Some(last) = decided.run.max(decided.missed) else { return Ok(()) };
    if addon.state != AddonState::Provisioned || last <= job.decided_until {
        return Ok(());
    }
    let mut lines = Vec::new();
    if let Some(due) = decided.missed {
        let why = "this server was not running when it was due";
        lines.extend(skip(ops, &mut write, &job, due, RunState::Skipped, why).await?);
    }
    if let Some(due) = decided.run {
        lines.extend(begin(ops, &mut write, &app, &job, due).await?);
    }
    store::scheduler::set_decided(&mut write, id, decided.run.unwrap_or(decided.at)).await?;
    store::scheduler::runs::keep_newest(&mut write, id, RUNS).await?;
    ops.commit(write, app.id, lines).await
}

/// Makes the dyno for a due time, or notes why there is none.
async fn begin(ops: &Ops, write: &mut Write, app: &App, job: &Job, due: Timestamp) -> Result<Option<String>> {
    if app.maintenance {
        return skip(ops, write, job, due, RunState::Skipped, "the app is in maintenance mode").await;
    }
    if let Some(last) = overlapping(write, job).await? {
        let why = format!("the run before it, {last}, still goes");
        return skip(ops, write, job, due, RunState::Skipped, &why).await;
    }
    let dyno = match dyno(ops, write, app, job, job.user).await {
        Ok(dyno) => dyno,
        Err(error) if error.status() >= 500 => return Err(error),
        Err(error) => return skip(ops, write, job, due, RunState::Failed, &error.to_string()).await,
    };
    let mut run = blank(job.id, Some(due), ops.now());
    let begun = claim(write, &mut run, &dyno).await?;
    Ok(begun.then(|| format!("Starting process with command `{}` by user {SCHEDULER}", dyno.command)))
}

/// Notes a due time that a job does not run for.
async fn skip(
    ops: &Ops,
    write: &mut Write,
    job: &Job,
    due: Timestamp,
    state: RunState,
    why: &str,
) -> Result<Option<String>> {
    let run = Run {
        state,
        failure: Some(why.to_owned()),
        finished_at: Some(ops.now()),
        ..blank(job.id, Some(due), ops.now())
    };
    let noted = store::scheduler::runs::insert(write, &run).await?;
    let why = why.trim_end_matches('.');
    Ok(noted.then(|| format!("Scheduled job `{}` of {due} was not run: {why}", job.command)))
}

/// Writes run and dyno; neither, and false, if the due time was claimed before.
async fn claim(write: &mut Write, run: &mut Run, dyno: &Dyno) -> Result<bool> {
    run.dyno = Some(dyno.id);
    run.dyno_name = Some(dyno.name.clone());
    if !store::scheduler::runs::insert(write, run).await? {
        return Ok(false);
    }
    store::dynos::insert(write, dyno).await?;
    Ok(true)
}

/// A dyno of the app's current release, or an error that says why there can be none.
async fn dyno(ops: &Ops, write: &mut Write, app: &App, job: &Job, user: AccountId) -> Result<Dyno> {
    let (release, slug) = one_offs::runnable(write, app).await?;
    one_offs::check_number(ops, write, app).await?;
    let (command, named) = one_offs::substitute(&job.command, &slug.process_types);
    let formation = store::formation::list(write, app.id).await?;
    let usual = formation.iter().find(|row| row.process_type.is_web()).map(|row| row.size);
    Ok(Dyno {
        name: free_number(write, app.id, ProcessType::scheduler()).await?,
        size: job.size.or(usual).unwrap_or(DynoSize::DEFAULT),
        image_type: named.filter(|named| slug.own_image(named).is_some()),
        user: Some(user),
        time_limit: Some(TIME_LIMIT),
        ..blank_dyno(app.id, release, command, ops.now())
    })
}

/// The dyno of a run that a further one may not overlap with.
async fn overlapping(write: &mut Write, job: &Job) -> Result<Option<String>> {
    if job.overlap {
        return Ok(None);
    }
    let running = store::scheduler::runs::running(write).await?;
    let last = running.into_iter().find(|run| run.job == job.id);
    Ok(last.map(|run| run.dyno_name.map_or_else(String::new, |name| name.to_string())))
}

fn blank(job: JobId, due: Option<Timestamp>, now: Timestamp) -> Run {
    Run {
        id: RunId::new(),
        job,
        due,
        state: RunState::Running,
        dyno: None,
        dyno_name: None,
        exit_status: None,
        failure: None,
        created_at: now,
        started_at: None,
        finished_at: None,
    }
}

/// How a run's dyno ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As its row says.
    With(Box<Dyno>),
    /// There is no row, so nobody knows.
    Lost,
}

/// Writes down how a run ended. Doing it twice does nothing more.
pub async fn ended(ops: &Ops, id: RunId, ended: Ended) -> Result<()> {
    let mut write = ops.store().write().await?;
    let found = store::scheduler::runs::by_id(&mut write, id).await?;
    let Some(mut run) = found.filter(|run| run.state == RunState::Running) else { return Ok(()) };
    let failure = match &ended {
        Ended::Lost => Some("its dyno was lost".to_owned()),
        Ended::With(dyno) => {
            run.exit_status = dyno.exit_status;
            run.started_at = dyno.started_at;
            failure(dyno)
        }
    };
    run.state = if failure.is_some() { RunState::Failed } else { RunState::Succeeded };
    run.failure = failure;
    run.finished_at = Some(match &ended {
        Ended::With(dyno) => dyno.state_changed_at,
        Ended::Lost => ops.now(),
    });
    store::scheduler::runs::finish(&mut write, &run).await?;
    store::scheduler::runs::keep_newest(&mut write, run.job, RUNS).await?;
    Ok(write.commit().await?)
}

/// Why an ended dyno is no success.
fn failure(dyno: &Dyno) -> Option<String> {
    let limit = SignedDuration::from_secs(TIME_LIMIT.into());
    let too_long = |since: Timestamp| dyno.state_changed_at.duration_since(since) >= limit;
    match (dyno.state, dyno.exit_status) {
        _ if dyno.stop_requested_at.is_some() => Some("it was stopped".into()),
        (DynoState::Complete, Some(0)) => None,
        (_, None) => Some("its dyno was lost".into()),
        _ if dyno.started_at.is_some_and(too_long) => Some("it ran for longer than 24 hours".into()),
        (_, Some(127)) if dyno.started_at.is_none() => {
            Some("it could not be started: see the app's log".into())
        }
        (_, Some(status)) => Some(format!("it exited with status {status}")),
    }
}
