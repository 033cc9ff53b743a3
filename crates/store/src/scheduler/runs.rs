//! Runs of jobs.

use crate::row::{Columns, micros, text_of};
use crate::{Result, Table, Tx, Write};
use domain::{DynoId, JobId, Run, RunId, RunState};
use sqlx::sqlite::SqliteRow;

fn run(row: &SqliteRow) -> Result<Run> {
    Ok(Run {
        id: row.parsed("id")?,
        job: row.parsed("job_id")?,
        due: row.time_if_any("due")?,
        state: row.word("state", RunState::parse)?,
        dyno: row.parsed_if_any("dyno_id")?,
        dyno_name: row.parsed_if_any("dyno_name")?,
        exit_status: row.number_if_any("exit_status")?,
        failure: row.text_if_any("failure")?,
        created_at: row.time("created_at")?,
        started_at: row.time_if_any("started_at")?,
        finished_at: row.time_if_any("finished_at")?,
    })
}

/// Adds one. False if there is one for that due time already.
pub async fn insert(write: &mut Write, run: &Run) -> Result<bool> {
    write.touch(Table::Scheduler);
    let done = sqlx::query(
        "INSERT INTO scheduler_runs (id, job_id, due, state, dyno_id, dyno_name, exit_status, failure,
                                     created_at, started_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (job_id, due) DO NOTHING",
    )
    .bind(run.id.to_string())
    .bind(run.job.to_string())
    .bind(run.due.map(micros))
    .bind(run.state.as_str())
    .bind(text_of(run.dyno.as_ref()))
    .bind(text_of(run.dyno_name.as_ref()))
    .bind(run.exit_status.map(i64::from))
    .bind(&run.failure)
    .bind(micros(run.created_at))
    .bind(run.started_at.map(micros))
    .bind(run.finished_at.map(micros))
    .execute(write.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes how it ended.
pub async fn finish(write: &mut Write, run: &Run) -> Result<()> {
    write.touch(Table::Scheduler);
    sqlx::query(
        "UPDATE scheduler_runs SET state = $2, exit_status = $3, failure = $4, started_at = $5, finished_at = $6
         WHERE id = $1",
    )
    .bind(run.id.to_string())
    .bind(run.state.as_str())
    .bind(run.exit_status.map(i64::from))
    .bind(&run.failure)
    .bind(run.started_at.map(micros))
    .bind(run.finished_at.map(micros))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Forgets all of a job's but so many of the newest, and those that run.
pub async fn keep_newest(write: &mut Write, job: JobId, count: u32) -> Result<()> {
    sqlx::query(
        "DELETE FROM scheduler_runs WHERE job_id = $1 AND state <> 'running' AND id NOT IN
             (SELECT id FROM scheduler_runs WHERE job_id = $1 ORDER BY created_at DESC, id LIMIT $2)",
    )
    .bind(job.to_string())
    .bind(i64::from(count))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// One by id.
pub async fn by_id(tx: &mut Tx, id: RunId) -> Result<Option<Run>> {
    sqlx::query("SELECT * FROM scheduler_runs WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(run)
        .transpose()
}

/// A job's, newest first.
pub async fn of_job(tx: &mut Tx, job: JobId) -> Result<Vec<Run>> {
    sqlx::query("SELECT * FROM scheduler_runs WHERE job_id = $1 ORDER BY created_at DESC, id")
        .bind(job.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(run)
        .collect()
}

/// A job's newest.
pub async fn newest(tx: &mut Tx, job: JobId) -> Result<Option<Run>> {
    sqlx::query("SELECT * FROM scheduler_runs WHERE job_id = $1 ORDER BY created_at DESC, id LIMIT 1")
        .bind(job.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(run)
        .transpose()
}

/// Those that have not ended, oldest first.
pub async fn running(tx: &mut Tx) -> Result<Vec<Run>> {
    sqlx::query("SELECT * FROM scheduler_runs WHERE state = 'running' ORDER BY created_at, id")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(run)
        .collect()
}

/// Dynos whose end is still to be written down.
pub async fn awaited_dynos(tx: &mut Tx) -> Result<Vec<DynoId>> {
    Ok(running(tx).await?.into_iter().filter_map(|run| run.dyno).collect())
}
