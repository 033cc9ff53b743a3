//! The formation of each app.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AppId, Formation, FormationId};
use sqlx::sqlite::SqliteRow;

fn formation(row: &SqliteRow) -> Result<Formation> {
    Ok(Formation {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        process_type: row.parsed("process_type")?,
        command: row.text("command")?,
        quantity: row.number("quantity")?,
        size: row.parsed("size")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds a process type.
pub async fn insert(write: &mut Write, formation: &Formation) -> Result<()> {
    write.touch(Table::Formation);
    sqlx::query(
        "INSERT INTO formation (id, app_id, process_type, command, quantity, size, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(formation.id.to_string())
    .bind(formation.app.to_string())
    .bind(formation.process_type.as_str())
    .bind(&formation.command)
    .bind(i64::from(formation.quantity))
    .bind(formation.size.to_string())
    .bind(micros(formation.created_at))
    .bind(micros(formation.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes command, quantity and size.
pub async fn update(write: &mut Write, formation: &Formation) -> Result<()> {
    write.touch(Table::Formation);
    sqlx::query("UPDATE formation SET command = $2, quantity = $3, size = $4, updated_at = $5 WHERE id = $1")
        .bind(formation.id.to_string())
        .bind(&formation.command)
        .bind(i64::from(formation.quantity))
        .bind(formation.size.to_string())
        .bind(micros(formation.updated_at))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Removes a process type.
pub async fn delete(write: &mut Write, id: FormationId) -> Result<()> {
    write.touch(Table::Formation);
    sqlx::query("DELETE FROM formation WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One app's, by process type.
pub async fn list(tx: &mut Tx, app: AppId) -> Result<Vec<Formation>> {
    sqlx::query("SELECT * FROM formation WHERE app_id = $1 ORDER BY process_type")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(formation)
        .collect()
}

/// Every app's, for planning.
pub async fn all(tx: &mut Tx) -> Result<Vec<Formation>> {
    sqlx::query("SELECT * FROM formation ORDER BY app_id, process_type")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(formation)
        .collect()
}
