//! Daily backups.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AddonId, Schedule, ScheduleId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn schedule(row: &SqliteRow) -> Result<Schedule> {
    Ok(Schedule {
        id: row.parsed("id")?,
        addon: row.parsed("addon_id")?,
        name: row.text("name")?,
        hour: row.number("hour")?,
        timezone: row.text("timezone")?,
        done: row.time_if_any("done")?,
        overdue: row.time_if_any("overdue")?,
        created_at: row.time("created_at")?,
    })
}

/// Sets an add-on's, in the place of the one it had.
pub async fn set(write: &mut Write, schedule: &Schedule) -> Result<()> {
    write.touch(Table::Transfers);
    sqlx::query("DELETE FROM transfer_schedules WHERE addon_id = $1")
        .bind(schedule.addon.to_string())
        .execute(write.sql())
        .await?;
    sqlx::query(
        "INSERT INTO transfer_schedules (id, addon_id, name, hour, timezone, done, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(schedule.id.to_string())
    .bind(schedule.addon.to_string())
    .bind(&schedule.name)
    .bind(i64::from(schedule.hour))
    .bind(&schedule.timezone)
    .bind(schedule.done.map(micros))
    .bind(micros(schedule.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Notes the hour that it was done for.
pub async fn set_done(write: &mut Write, id: ScheduleId, done: Timestamp) -> Result<()> {
    write.touch(Table::Transfers);
    sqlx::query("UPDATE transfer_schedules SET done = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(micros(done))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Notes since when it was told that no backup is proven.
pub async fn set_overdue(write: &mut Write, id: ScheduleId, since: Timestamp) -> Result<()> {
    write.touch(Table::Transfers);
    sqlx::query("UPDATE transfer_schedules SET overdue = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(micros(since))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Takes one away.
pub async fn delete(write: &mut Write, id: ScheduleId) -> Result<()> {
    write.touch(Table::Transfers);
    sqlx::query("DELETE FROM transfer_schedules WHERE id = $1")
        .bind(id.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// One.
pub async fn by_id(tx: &mut Tx, id: ScheduleId) -> Result<Option<Schedule>> {
    sqlx::query("SELECT * FROM transfer_schedules WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(schedule)
        .transpose()
}

/// An add-on's, of which there is one at most.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<Vec<Schedule>> {
    sqlx::query("SELECT * FROM transfer_schedules WHERE addon_id = $1")
        .bind(addon.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(schedule)
        .collect()
}

/// All there are.
pub async fn list(tx: &mut Tx) -> Result<Vec<Schedule>> {
    sqlx::query("SELECT * FROM transfer_schedules ORDER BY created_at, id")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(schedule)
        .collect()
}
