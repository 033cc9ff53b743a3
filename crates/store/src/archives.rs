//! What is kept of add-ons' past.

use crate::row::{Columns, integer, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AddonId, Archive};
use sqlx::sqlite::SqliteRow;

fn archive(row: &SqliteRow) -> Result<Archive> {
    Ok(Archive {
        addon: row.parsed("addon_id")?,
        taken_at: row.time_if_any("taken_at")?,
        earliest: row.time_if_any("earliest")?,
        bytes: row.number("bytes")?,
        failure: row.text_if_any("failure")?,
        attempts: row.number("attempts")?,
        retry_at: row.time_if_any("retry_at")?,
    })
}

/// Writes one down, in the place of what was known. Nothing for an add-on that is gone.
pub async fn set(write: &mut Write, archive: &Archive) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query(
        "INSERT INTO addon_archives (addon_id, taken_at, earliest, bytes, failure, attempts, retry_at)
         SELECT id, $2, $3, $4, $5, $6, $7 FROM addons WHERE id = $1
         ON CONFLICT (addon_id) DO UPDATE SET taken_at = excluded.taken_at, earliest = excluded.earliest,
             bytes = excluded.bytes, failure = excluded.failure, attempts = excluded.attempts,
             retry_at = excluded.retry_at",
    )
    .bind(archive.addon.to_string())
    .bind(archive.taken_at.map(micros))
    .bind(archive.earliest.map(micros))
    .bind(integer(archive.bytes))
    .bind(&archive.failure)
    .bind(i64::from(archive.attempts))
    .bind(archive.retry_at.map(micros))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// An add-on's.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<Option<Archive>> {
    let row = sqlx::query("SELECT * FROM addon_archives WHERE addon_id = $1")
        .bind(addon.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.as_ref().map(archive).transpose()
}
