//! The ordered list of buildpacks of an app.

use crate::row::Columns;
use crate::{Result, Table, Tx, Write};
use domain::{AppId, BuildpackRef};

/// The list; empty means detection.
pub async fn of(tx: &mut Tx, app: AppId) -> Result<Vec<BuildpackRef>> {
    sqlx::query("SELECT buildpack FROM buildpacks WHERE app_id = $1 ORDER BY ordinal")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| row.text("buildpack").map(BuildpackRef))
        .collect()
}

/// Replaces the list.
pub async fn set(write: &mut Write, app: AppId, list: &[BuildpackRef]) -> Result<()> {
    write.touch(Table::Apps);
    sqlx::query("DELETE FROM buildpacks WHERE app_id = $1")
        .bind(app.to_string())
        .execute(write.sql())
        .await?;
    for (ordinal, BuildpackRef(name)) in (0_i64..).zip(list) {
        sqlx::query("INSERT INTO buildpacks (app_id, ordinal, buildpack) VALUES ($1, $2, $3)")
            .bind(app.to_string())
            .bind(ordinal)
            .bind(name)
            .execute(write.sql())
            .await?;
    }
    Ok(())
}
