//! Jobs of the scheduler.

pub mod runs;

use crate::row::{Columns, micros, text_of};
use crate::{Result, Table, Tx, Write};
use domain::{AddonId, Job, JobId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn job(row: &SqliteRow) -> Result<Job> {
    Ok(Job {
        id: row.parsed("id")?,
        addon: row.parsed("addon_id")?,
        user: row.parsed("user_id")?,
        command: row.text("command")?,
        size: row.parsed_if_any("size")?,
        frequency: row.parsed("frequency")?,
        timezone: row.text("timezone")?,
        overlap: row.flag("overlap")?,
        decided_until: row.time("decided_until")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, job: &Job) -> Result<()> {
    write.touch(Table::Scheduler);
    sqlx::query(
        "INSERT INTO scheduler_jobs (id, addon_id, user_id, command, size, frequency, timezone, overlap,
                                     decided_until, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(job.id.to_string())
    .bind(job.addon.to_string())
    .bind(job.user.to_string())
    .bind(&job.command)
    .bind(text_of(job.size.as_ref()))
    .bind(job.frequency.to_string())
    .bind(&job.timezone)
    .bind(job.overlap)
    .bind(micros(job.decided_until))
    .bind(micros(job.created_at))
    .bind(micros(job.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes all that can change.
pub async fn update(write: &mut Write, job: &Job) -> Result<()> {
    write.touch(Table::Scheduler);
    sqlx::query(
        "UPDATE scheduler_jobs SET user_id = $2, command = $3, size = $4, frequency = $5, timezone = $6,
                                   overlap = $7, decided_until = $8, updated_at = $9
         WHERE id = $1",
    )
    .bind(job.id.to_string())
    .bind(job.user.to_string())
    .bind(&job.command)
    .bind(text_of(job.size.as_ref()))
    .bind(job.frequency.to_string())
    .bind(&job.timezone)
    .bind(job.overlap)
    .bind(micros(job.decided_until))
    .bind(micros(job.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Notes up to when it is decided which due times it runs for.
pub async fn set_decided(write: &mut Write, id: JobId, until: Timestamp) -> Result<()> {
    write.touch(Table::Scheduler);
    sqlx::query("UPDATE scheduler_jobs SET decided_until = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(micros(until))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Forgets one, with its runs.
pub async fn delete(write: &mut Write, id: JobId) -> Result<()> {
    write.touch(Table::Scheduler);
    sqlx::query("DELETE FROM scheduler_jobs WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One by id.
pub async fn by_id(tx: &mut Tx, id: JobId) -> Result<Option<Job>> {
    sqlx::query("SELECT * FROM scheduler_jobs WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(job)
        .transpose()
}

/// An add-on's, oldest first.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<Vec<Job>> {
    sqlx::query("SELECT * FROM scheduler_jobs WHERE addon_id = $1 ORDER BY created_at, id")
        .bind(addon.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(job)
        .collect()
}

/// Those of all add-ons that are there.
pub async fn active(tx: &mut Tx) -> Result<Vec<Job>> {
    sqlx::query(
        "SELECT scheduler_jobs.* FROM scheduler_jobs JOIN addons ON addons.id = scheduler_jobs.addon_id
         WHERE addons.state = 'provisioned' ORDER BY scheduler_jobs.created_at, scheduler_jobs.id",
    )
    .fetch_all(tx.sql())
    .await?
    .iter()
    .map(job)
    .collect()
}
