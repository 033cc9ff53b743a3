//! Reports about databases. What was found is sealed.

use crate::row::{Columns, micros};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Tx, Write};
use domain::{AddonId, Report, ReportId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

const COLUMN: &str = "sealed_checks";

fn place(row: &str) -> Place<'_> {
    Place { table: "reports", column: COLUMN, row }
}

fn corrupt(error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt { column: COLUMN, why: error.to_string() }
}

fn report(tx: &Tx, row: &SqliteRow) -> Result<Report> {
    let sealed = row.bytes_if_any(COLUMN)?.unwrap_or_default();
    let checks = open(&tx.keys(), place(&row.text("id")?), &sealed)?;
    Ok(Report {
        id: row.parsed("id")?,
        addon: row.parsed("addon_id")?,
        app: row.text("app")?,
        database: row.text("name")?,
        checks: serde_json::from_slice(&checks).map_err(|error| corrupt(&error))?,
        created_at: row.time("created_at")?,
    })
}

/// Adds one. Wakes nobody.
pub async fn insert(write: &mut Write, report: &Report) -> Result<()> {
    let id = report.id.to_string();
    let checks = serde_json::to_vec(&report.checks).map_err(|error| corrupt(&error))?;
    let sealed = seal(&write.keys(), place(&id), &checks)?;
    sqlx::query(
        "INSERT INTO reports (id, addon_id, app, name, sealed_checks, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&id)
    .bind(report.addon.to_string())
    .bind(&report.app)
    .bind(&report.database)
    .bind(sealed)
    .bind(micros(report.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// One by id.
pub async fn by_id(tx: &mut Tx, id: ReportId) -> Result<Option<Report>> {
    let row = sqlx::query("SELECT * FROM reports WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.as_ref().map(|row| report(tx, row)).transpose()
}

/// Forgets those made before `time`, and of an add-on's all but the newest `kept`.
pub async fn trim(write: &mut Write, time: Timestamp, addon: AddonId, kept: u32) -> Result<()> {
    sqlx::query("DELETE FROM reports WHERE created_at < $1").bind(micros(time)).execute(write.sql()).await?;
    sqlx::query(
        "DELETE FROM reports WHERE addon_id = $1 AND id NOT IN
           (SELECT id FROM reports WHERE addon_id = $1 ORDER BY created_at DESC, id LIMIT $2)",
    )
    .bind(addon.to_string())
    .bind(i64::from(kept))
    .execute(write.sql())
    .await?;
    Ok(())
}
