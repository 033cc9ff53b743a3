//! Log drains. Their addresses often carry a password, so they are sealed.

use crate::row::{Columns, micros, text_of};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::{AddonId, AppId, Drain, DrainId};
use sqlx::sqlite::SqliteRow;

fn place(row: &str) -> Place<'_> {
    Place { table: "drains", column: "sealed_url", row }
}

fn drain(tx: &Tx, row: &SqliteRow) -> Result<Drain> {
    let sealed = row.bytes_if_any("sealed_url")?.unwrap_or_default();
    let url = open(&tx.keys(), place(&row.text("id")?), &sealed)?;
    Ok(Drain {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        url: String::from_utf8(url.to_vec())
            .map_err(|_| StoreError::Corrupt { column: "sealed_url", why: "not UTF-8".into() })?,
        token: row.text("token")?,
        addon: row.parsed_if_any("addon_id")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, drain: &Drain) -> Result<()> {
    write.touch(Table::Drains);
    let id = drain.id.to_string();
    let sealed = seal(&write.keys(), place(&id), drain.url.as_bytes())?;
    sqlx::query(
        "INSERT INTO drains (id, app_id, sealed_url, token, created_at, updated_at, addon_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&id)
    .bind(drain.app.to_string())
    .bind(sealed)
    .bind(&drain.token)
    .bind(micros(drain.created_at))
    .bind(micros(drain.updated_at))
    .bind(text_of(drain.addon.as_ref()))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes the address anew.
pub async fn update(write: &mut Write, drain: &Drain) -> Result<()> {
    write.touch(Table::Drains);
    let id = drain.id.to_string();
    let sealed = seal(&write.keys(), place(&id), drain.url.as_bytes())?;
    sqlx::query("UPDATE drains SET sealed_url = $2, updated_at = $3 WHERE id = $1")
        .bind(&id)
        .bind(sealed)
        .bind(micros(drain.updated_at))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Removes one.
pub async fn delete(write: &mut Write, id: DrainId) -> Result<()> {
    write.touch(Table::Drains);
    sqlx::query("DELETE FROM drains WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One app's, oldest first.
pub async fn list(tx: &mut Tx, app: AppId) -> Result<Vec<Drain>> {
    let rows = sqlx::query("SELECT * FROM drains WHERE app_id = $1 ORDER BY created_at, id")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| drain(tx, row)).collect()
}

/// All there are.
pub async fn all(tx: &mut Tx) -> Result<Vec<Drain>> {
    let rows = sqlx::query("SELECT * FROM drains ORDER BY created_at, id").fetch_all(tx.sql()).await?;
    rows.iter().map(|row| drain(tx, row)).collect()
}

/// An add-on's, oldest first.
pub async fn of_addon(tx: &mut Tx, addon: AddonId) -> Result<Vec<Drain>> {
    let rows = sqlx::query("SELECT * FROM drains WHERE addon_id = $1 ORDER BY created_at, id")
        .bind(addon.to_string())
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| drain(tx, row)).collect()
}
