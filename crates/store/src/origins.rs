//! From which others add-ons have their data.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AddonId, Origin, OriginKind};
use sqlx::sqlite::SqliteRow;

fn origin(row: &SqliteRow) -> Result<Origin> {
    Ok(Origin {
        addon: row.parsed("addon_id")?,
        kind: row.word("kind", OriginKind::parse)?,
        source: row.parsed("source_id")?,
        to: row.time_if_any("target")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, origin: &Origin) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query("INSERT INTO addon_origins (addon_id, kind, source_id, target) VALUES ($1, $2, $3, $4)")
        .bind(origin.addon.to_string())
        .bind(origin.kind.as_str())
        .bind(origin.source.to_string())
        .bind(origin.to.map(micros))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Forgets an add-on's.
pub async fn delete(write: &mut Write, addon: AddonId) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query("DELETE FROM addon_origins WHERE addon_id = $1")
        .bind(addon.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// An add-on's, if it has one.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<Option<Origin>> {
    let row = sqlx::query("SELECT * FROM addon_origins WHERE addon_id = $1")
        .bind(addon.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.as_ref().map(origin).transpose()
}

/// Those that have their data from an add-on.
pub async fn of_source(tx: &mut Tx, source: AddonId) -> Result<Vec<Origin>> {
    let rows = sqlx::query("SELECT * FROM addon_origins WHERE source_id = $1 ORDER BY addon_id")
        .bind(source.to_string())
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(origin).collect()
}

/// All there are.
pub async fn list(tx: &mut Tx) -> Result<Vec<Origin>> {
    let rows = sqlx::query("SELECT * FROM addon_origins ORDER BY addon_id").fetch_all(tx.sql()).await?;
    rows.iter().map(origin).collect()
}
