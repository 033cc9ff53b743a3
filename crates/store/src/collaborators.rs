//! Who has a place on an app.

use crate::row::{Columns, micros};
use crate::{Result, Table, Tx, Write};
use domain::{AccountId, AppId, Collaborator, CollaboratorId};
use sqlx::sqlite::SqliteRow;

fn collaborator(row: &SqliteRow) -> Result<Collaborator> {
    Ok(Collaborator {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        account: row.parsed("account_id")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, collaborator: &Collaborator) -> Result<()> {
    write.touch(Table::Apps);
    sqlx::query(
        "INSERT INTO collaborators (id, app_id, account_id, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(collaborator.id.to_string())
    .bind(collaborator.app.to_string())
    .bind(collaborator.account.to_string())
    .bind(micros(collaborator.created_at))
    .bind(micros(collaborator.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Removes one.
pub async fn delete(write: &mut Write, id: CollaboratorId) -> Result<()> {
    write.touch(Table::Apps);
    sqlx::query("DELETE FROM collaborators WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// All of an app, the oldest (its owner) first.
pub async fn list(tx: &mut Tx, app: AppId) -> Result<Vec<Collaborator>> {
    sqlx::query("SELECT * FROM collaborators WHERE app_id = $1 ORDER BY created_at, id")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(collaborator)
        .collect()
}

/// Whether the account has a place on the app.
pub async fn has(tx: &mut Tx, app: AppId, account: AccountId) -> Result<bool> {
    let row = sqlx::query("SELECT 1 FROM collaborators WHERE app_id = $1 AND account_id = $2")
        .bind(app.to_string())
        .bind(account.to_string())
        .fetch_optional(tx.sql())
        .await?;
    Ok(row.is_some())
}
