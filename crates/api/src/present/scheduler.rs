//! Jobs of the scheduler and their runs.

use jiff::Timestamp;
use ops::scheduler::JobInfo;
use wire::scheduler::{Job, JobRef, Run};

pub(crate) fn job(info: &JobInfo, now: Timestamp) -> Job {
    let JobInfo { job, last } = info;
    let next = ops::transfers::schedules::timezone(&job.timezone)
        .ok()
        .and_then(|timezone| job.frequency.next_after(now.max(job.decided_until), &timezone));
    Job {
        id: job.id.0,
        command: job.command.clone(),
        size: job.size.map(|size| size.to_string()),
        frequency: job.frequency.to_string(),
        timezone: job.timezone.clone(),
        overlap: job.overlap,
        next_run: next.map(Into::into),
        last_run: last.as_ref().map(|last| run(job, last)),
        created_at: job.created_at.into(),
        updated_at: job.updated_at.into(),
    }
}

pub(crate) fn run(job: &domain::Job, run: &domain::Run) -> Run {
    Run {
        id: run.id.0,
        job: JobRef { id: job.id.0, command: job.command.clone() },
        due_at: run.due.map(Into::into),
        status: run.state.as_str().into(),
        dyno: run.dyno_name.as_ref().map(ToString::to_string),
        exit_code: run.exit_status,
        failure: run.failure.clone(),
        created_at: run.created_at.into(),
        started_at: run.started_at.map(Into::into),
        finished_at: run.finished_at.map(Into::into),
    }
}
