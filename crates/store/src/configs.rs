//! Config vars. A set is written once, sealed, and never changed; the app points at its newest set
//! and each release at the one it was made with, so a rollback is a pointer too.
//!
//! There are two sets: what users set, and what the app's attachments to add-ons give. A release is
//! always made with the newest of the latter; nobody rolls back to the password of a database.

use crate::row::{Columns, text_of};
use crate::seal::{Place, open_map, seal_map};
use crate::{Result, Table, Tx, Write};
use domain::{AppId, ConfigVars, ReleaseId};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

/// Names a set of config vars.
pub type ConfigId = Uuid;

fn place(row: &str) -> Place<'_> {
    Place { table: "configs", column: "sealed_vars", row }
}

fn vars(tx: &Tx, row: &SqliteRow) -> Result<ConfigVars> {
    let sealed = row.bytes_if_any("sealed_vars")?.unwrap_or_default();
    Ok(ConfigVars(open_map(&tx.keys(), place(&row.text("id")?), &sealed)?))
}

/// Adds a set and makes it the app's newest.
pub async fn insert(write: &mut Write, app: AppId, vars: &ConfigVars) -> Result<ConfigId> {
    let id = add(write, app, vars).await?;
    point(write, app, Some(id)).await?;
    Ok(id)
}

/// Adds a set of what an app's attachments give, and makes it the app's newest of its kind.
pub async fn attach(write: &mut Write, app: AppId, vars: &ConfigVars) -> Result<()> {
    let id = add(write, app, vars).await?;
    write.touch(Table::Apps);
    sqlx::query("UPDATE apps SET attached_config_id = $2 WHERE id = $1")
        .bind(app.to_string())
        .bind(id.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

async fn add(write: &mut Write, app: AppId, vars: &ConfigVars) -> Result<ConfigId> {
    let id = ConfigId::new_v4();
    let sealed = seal_map(&write.keys(), place(&id.to_string()), &vars.0)?;
    sqlx::query("INSERT INTO configs (id, app_id, sealed_vars) VALUES ($1, $2, $3)")
        .bind(id.to_string())
        .bind(app.to_string())
        .bind(sealed)
        .execute(write.sql())
        .await?;
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

/// All of an app's config vars, as `heroku config` shows them.
pub async fn of_app(tx: &mut Tx, app: AppId) -> Result<ConfigVars> {
    let own = own_of_app(tx, app).await?;
    Ok(merged(own, attached_of_app(tx, app).await?))
}

/// Those that users set.
pub async fn own_of_app(tx: &mut Tx, app: AppId) -> Result<ConfigVars> {
    const SQL: &str =
        "SELECT id, sealed_vars FROM configs WHERE id = (SELECT config_id FROM apps WHERE id = $1)";
    one(tx, SQL, app.to_string()).await
}

/// Those that attachments give.
pub async fn attached_of_app(tx: &mut Tx, app: AppId) -> Result<ConfigVars> {
    const SQL: &str =
        "SELECT id, sealed_vars FROM configs WHERE id = (SELECT attached_config_id FROM apps WHERE id = $1)";
    one(tx, SQL, app.to_string()).await
}

/// All that a release was made with, which its dynos get.
pub async fn of_release(tx: &mut Tx, release: ReleaseId) -> Result<ConfigVars> {
    const OWN: &str =
        "SELECT id, sealed_vars FROM configs WHERE id = (SELECT config_id FROM releases WHERE id = $1)";
    const ATTACHED: &str = "SELECT id, sealed_vars FROM configs WHERE id = (SELECT attached_config_id FROM releases WHERE id = $1)";
    let own = one(tx, OWN, release.to_string()).await?;
    Ok(merged(own, one(tx, ATTACHED, release.to_string()).await?))
}

async fn one(tx: &mut Tx, sql: &'static str, of: String) -> Result<ConfigVars> {
    let row = sqlx::query(sql).bind(of).fetch_optional(tx.sql()).await?;
    row.map_or_else(|| Ok(ConfigVars::default()), |row| vars(tx, &row))
}

fn merged(mut own: ConfigVars, attached: ConfigVars) -> ConfigVars {
    own.0.extend(attached.0);
    own
}
