//! What is to be cleared away outside the database. A chore is written in the transaction that makes
//! it necessary and removed when it is done, so that it is done even if the server dies in between.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{Chore, ChoreKind};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

fn chore(row: &SqliteRow) -> Result<Chore> {
    Ok(Chore {
        id: row.parsed("id")?,
        kind: row.word("kind", ChoreKind::parse)?,
        app: row.parsed("app_id")?,
        app_name: row.parsed("app_name")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, chore: &Chore) -> Result<()> {
    write.touch(Table::Chores);
    sqlx::query("INSERT INTO chores (id, kind, app_id, app_name, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(chore.id.to_string())
        .bind(chore.kind.as_str())
        .bind(chore.app.to_string())
        .bind(chore.app_name.as_str())
        .bind(micros(chore.created_at))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Removes one that is done.
pub async fn delete(write: &mut Write, id: Uuid) -> Result<()> {
    write.touch(Table::Chores);
    sqlx::query("DELETE FROM chores WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// All, oldest first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Chore>> {
    sqlx::query("SELECT * FROM chores ORDER BY created_at, id")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(chore)
        .collect()
}
