//! Config vars. A set is written once, sealed, and never changed; the app points at its newest set
//! and each release at the one it was made with, so a rollback is a pointer too.

use crate::row::{Columns, text_of};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::{AppId, ConfigVars, ReleaseId};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Names a set of config vars.
pub type ConfigId = Uuid;

fn place(row: &str) -> Place<'_> {
    Place { table: "configs", column: "sealed_vars", row }
}

fn vars(tx: &Tx, row: &SqliteRow) -> Result<ConfigVars> {
    let sealed = row.bytes_if_any("sealed_vars")?.unwrap_or_default();
    let text = open(&tx.keys(), place(&row.text("id")?), &sealed)?;
    serde_json::from_slice(&text).map_err(|_| StoreError::Corrupt {
        column: "sealed_vars",
        why: "not a JSON object of strings".into(),
    })
}

/// Adds a set and makes it the app's newest.
pub async fn insert(write: &mut Write, app: AppId, vars: &ConfigVars) -> Result<ConfigId> {
    let id = ConfigId::new_v4();
    let text = Zeroizing::new(
        serde_json::to_vec(vars)
            .map_err(|error| StoreError::Corrupt { column: "sealed_vars", why: error.to_string() })?,
    );
    let sealed = seal(&write.keys(), place(&id.to_string()), &text)?;
    sqlx::query("INSERT INTO configs (id, app_id, sealed_vars) VALUES ($1, $2, $3)")
        .bind(id.to_string())
        .bind(app.to_string())
        .bind(sealed)
        .execute(write.sql())
        .await?;
    point(write, app, Some(id)).await?;
    Ok(id)
}

/// Makes a set that exists the app's newest, as a rollback does.
pub async fn point(write: &mut Write, app: AppId, config: Option<ConfigId>) -> Result<()> {
    write.touch(Table::Apps);
    sqlx::query("UPDATE apps SET config_id = $2 WHERE id = $1")
        .bind(app.to_string())
        .bind(text_of(config.as_ref()))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// The id of the app's newest set; `None` if it never had one.
pub async fn id_of_app(tx: &mut Tx, app: AppId) -> Result<Option<ConfigId>> {
    let row = sqlx::query("SELECT config_id FROM apps WHERE id = $1")
        .bind(app.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map_or(Ok(None), |row| row.parsed_if_any("config_id"))
}

/// The id of the set a release was made with.
pub async fn id_of_release(tx: &mut Tx, release: ReleaseId) -> Result<Option<ConfigId>> {
    let row = sqlx::query("SELECT config_id FROM releases WHERE id = $1")
        .bind(release.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map_or(Ok(None), |row| row.parsed_if_any("config_id"))
}

/// The app's newest set, which `heroku config` shows.
pub async fn of_app(tx: &mut Tx, app: AppId) -> Result<ConfigVars> {
    let row = sqlx::query(
        "SELECT id, sealed_vars FROM configs WHERE id = (SELECT config_id FROM apps WHERE id = $1)",
    )
    .bind(app.to_string())
    .fetch_optional(tx.sql())
    .await?;
    row.map_or_else(|| Ok(ConfigVars::default()), |row| vars(tx, &row))
}

/// The set a release was made with, which its dynos get.
pub async fn of_release(tx: &mut Tx, release: ReleaseId) -> Result<ConfigVars> {
    let row = sqlx::query(
        "SELECT id, sealed_vars FROM configs WHERE id = (SELECT config_id FROM releases WHERE id = $1)",
    )
    .bind(release.to_string())
    .fetch_optional(tx.sql())
    .await?;
    row.map_or_else(|| Ok(ConfigVars::default()), |row| vars(tx, &row))
}
