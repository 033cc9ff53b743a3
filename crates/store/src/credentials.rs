//! Ways to log in at add-ons. Their values are sealed.

use crate::row::{Columns, micros};
use crate::seal::{Place, open_map, seal_map};
use crate::{Result, Table, Tx, Write};
use domain::{AddonId, Credential, CredentialId};
use sqlx::sqlite::SqliteRow;

fn place(row: &str) -> Place<'_> {
    Place { table: "addon_credentials", column: "sealed_values", row }
}

fn next_place(row: &str) -> Place<'_> {
    Place { table: "addon_credentials", column: "sealed_next_values", row }
}

fn credential(tx: &Tx, row: &SqliteRow) -> Result<Credential> {
    let sealed = row.bytes_if_any("sealed_values")?.unwrap_or_default();
    Ok(Credential {
        id: row.parsed("id")?,
        addon: row.parsed("addon_id")?,
        name: row.text("name")?,
        values: open_map(&tx.keys(), place(&row.text("id")?), &sealed)?,
        active: row.flag("active")?,
        next: match row.bytes_if_any("sealed_next_values")? {
            Some(sealed) => Some(open_map(&tx.keys(), next_place(&row.text("id")?), &sealed)?),
            None => None,
        },
        removed: row.flag("removed")?,
        attempts: row.number("attempts")?,
        retry_at: row.time_if_any("retry_at")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, credential: &Credential) -> Result<()> {
    write.touch(Table::Addons);
    let id = credential.id.to_string();
    let values = seal_map(&write.keys(), place(&id), &credential.values)?;
    sqlx::query(
        "INSERT INTO addon_credentials (id, addon_id, name, sealed_values, active, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&id)
    .bind(credential.addon.to_string())
    .bind(&credential.name)
    .bind(values)
    .bind(credential.active)
    .bind(micros(credential.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes all that can change.
pub async fn update(write: &mut Write, credential: &Credential) -> Result<()> {
    write.touch(Table::Addons);
    let id = credential.id.to_string();
    let values = seal_map(&write.keys(), place(&id), &credential.values)?;
    let next = match &credential.next {
        Some(next) => Some(seal_map(&write.keys(), next_place(&id), next)?),
        None => None,
    };
    sqlx::query(
        "UPDATE addon_credentials SET sealed_values = $2, active = $3, sealed_next_values = $4, removed = $5,
                                      attempts = $6, retry_at = $7
         WHERE id = $1",
    )
    .bind(&id)
    .bind(values)
    .bind(credential.active)
    .bind(next)
    .bind(credential.removed)
    .bind(i64::from(credential.attempts))
    .bind(credential.retry_at.map(micros))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Forgets one.
pub async fn delete(write: &mut Write, id: CredentialId) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query("DELETE FROM addon_credentials WHERE id = $1")
        .bind(id.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// An add-on's, by name.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<Vec<Credential>> {
    let rows = sqlx::query("SELECT * FROM addon_credentials WHERE addon_id = $1 ORDER BY name")
        .bind(addon.to_string())
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| credential(tx, row)).collect()
}

/// One of an add-on's.
pub async fn by_name(tx: &mut Tx, addon: AddonId, name: &str) -> Result<Option<Credential>> {
    let row = sqlx::query("SELECT * FROM addon_credentials WHERE addon_id = $1 AND name = $2")
        .bind(addon.to_string())
        .bind(name)
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| credential(tx, &row)).transpose()
}

/// All of which a service is to be told, oldest first.
pub async fn pending(tx: &mut Tx) -> Result<Vec<Credential>> {
    let rows = sqlx::query(
        "SELECT * FROM addon_credentials WHERE NOT active OR removed OR sealed_next_values IS NOT NULL
         ORDER BY created_at, id",
    )
    .fetch_all(tx.sql())
    .await?;
    rows.iter().map(|row| credential(tx, row)).collect()
}

/// One.
pub async fn by_id(tx: &mut Tx, id: CredentialId) -> Result<Option<Credential>> {
    let row = sqlx::query("SELECT * FROM addon_credentials WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| credential(tx, &row)).transpose()
}
