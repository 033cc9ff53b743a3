//! What hooks are to do once at add-ons.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AddonId, Errand, ErrandId, ErrandKind};
use sqlx::sqlite::SqliteRow;

fn errand(row: &SqliteRow) -> Result<Errand> {
    Ok(Errand {
        id: row.parsed("id")?,
        addon: row.parsed("addon_id")?,
        kind: row.word("kind", ErrandKind::parse)?,
        attempts: row.number("attempts")?,
        retry_at: row.time_if_any("retry_at")?,
        failure: row.text_if_any("failure")?,
        given_up: row.flag("given_up")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds one, in the place of an earlier one of its kind.
pub async fn replace(write: &mut Write, errand: &Errand) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query("DELETE FROM addon_errands WHERE addon_id = $1 AND kind = $2")
        .bind(errand.addon.to_string())
        .bind(errand.kind.as_str())
        .execute(write.sql())
        .await?;
    sqlx::query(
        "INSERT INTO addon_errands (id, addon_id, kind, attempts, retry_at, failure, given_up, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(errand.id.to_string())
    .bind(errand.addon.to_string())
    .bind(errand.kind.as_str())
    .bind(i64::from(errand.attempts))
    .bind(errand.retry_at.map(micros))
    .bind(&errand.failure)
    .bind(errand.given_up)
    .bind(micros(errand.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes how attempts went.
pub async fn update(write: &mut Write, errand: &Errand) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query(
        "UPDATE addon_errands SET attempts = $2, retry_at = $3, failure = $4, given_up = $5 WHERE id = $1",
    )
    .bind(errand.id.to_string())
    .bind(i64::from(errand.attempts))
    .bind(errand.retry_at.map(micros))
    .bind(&errand.failure)
    .bind(errand.given_up)
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Forgets one.
pub async fn delete(write: &mut Write, id: ErrandId) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query("DELETE FROM addon_errands WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One.
pub async fn by_id(tx: &mut Tx, id: ErrandId) -> Result<Option<Errand>> {
    let row = sqlx::query("SELECT * FROM addon_errands WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.as_ref().map(errand).transpose()
}

/// Those that are not given up, oldest first.
pub async fn pending(tx: &mut Tx) -> Result<Vec<Errand>> {
    let rows = sqlx::query("SELECT * FROM addon_errands WHERE NOT given_up ORDER BY created_at, id")
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(errand).collect()
}

/// An add-on's that are not given up.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<Vec<Errand>> {
    let mut pending = pending(tx).await?;
    pending.retain(|one| one.addon == addon);
    Ok(pending)
}
