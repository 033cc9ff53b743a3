//! Which features of an app are switched on or off by its users.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::AppId;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What users chose: name → (on, when). A feature that is not in it has its default.
pub async fn of(tx: &mut Tx, app: AppId) -> Result<BTreeMap<String, (bool, Timestamp)>> {
    sqlx::query("SELECT name, enabled, updated_at FROM app_features WHERE app_id = $1")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| Ok((row.text("name")?, (row.flag("enabled")?, row.time("updated_at")?))))
        .collect()
}

/// Switches one.
pub async fn set(write: &mut Write, app: AppId, name: &str, enabled: bool, now: Timestamp) -> Result<()> {
    write.touch(Table::Apps);
    sqlx::query(
        "INSERT INTO app_features (app_id, name, enabled, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (app_id, name) DO UPDATE SET enabled = excluded.enabled, updated_at = excluded.updated_at",
    )
    .bind(app.to_string())
    .bind(name)
    .bind(enabled)
    .bind(micros(now))
    .execute(write.sql())
    .await?;
    Ok(())
}
