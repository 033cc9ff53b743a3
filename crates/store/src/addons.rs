//! Add-ons.

use crate::row::{Columns, micros, text_of};
use crate::{Result, Table, Tx, Write};
use domain::{Addon, AddonId, AddonState, AppId, InstanceId};
use sqlx::sqlite::SqliteRow;

fn addon(row: &SqliteRow) -> Result<Addon> {
    Ok(Addon {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        user: row.parsed("user_id")?,
        service: row.text("service")?,
        plan: row.text("plan")?,
        name: row.text("name")?,
        state: row.word("state", AddonState::parse)?,
        instance: row.parsed_if_any("instance_id")?,
        attempts: row.number("attempts")?,
        retry_at: row.time_if_any("retry_at")?,
        failure: row.text_if_any("failure")?,
        over_limit: row.flag("over_limit")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds one.
pub async fn insert(write: &mut Write, addon: &Addon) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query(
        "INSERT INTO addons (id, app_id, service, plan, name, state, instance_id, attempts, retry_at, failure,
                             created_at, updated_at, user_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(addon.id.to_string())
    .bind(addon.app.to_string())
    .bind(&addon.service)
    .bind(&addon.plan)
    .bind(&addon.name)
    .bind(addon.state.as_str())
    .bind(text_of(addon.instance.as_ref()))
    .bind(i64::from(addon.attempts))
    .bind(addon.retry_at.map(micros))
    .bind(&addon.failure)
    .bind(micros(addon.created_at))
    .bind(micros(addon.updated_at))
    .bind(addon.user.to_string())
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes all that can change.
pub async fn update(write: &mut Write, addon: &Addon) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query(
        "UPDATE addons SET plan = $2, name = $3, state = $4, instance_id = $5, attempts = $6, retry_at = $7,
                           failure = $8, updated_at = $9, over_limit = $10
         WHERE id = $1",
    )
    .bind(addon.id.to_string())
    .bind(&addon.plan)
    .bind(&addon.name)
    .bind(addon.state.as_str())
    .bind(text_of(addon.instance.as_ref()))
    .bind(i64::from(addon.attempts))
    .bind(addon.retry_at.map(micros))
    .bind(&addon.failure)
    .bind(micros(addon.updated_at))
    .bind(addon.over_limit)
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Forgets one, with its credentials and attachments.
pub async fn delete(write: &mut Write, id: AddonId) -> Result<()> {
    write.touch(Table::Addons);
    sqlx::query("DELETE FROM addons WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One by id.
pub async fn by_id(tx: &mut Tx, id: AddonId) -> Result<Option<Addon>> {
    sqlx::query("SELECT * FROM addons WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(addon)
        .transpose()
}

/// One by name.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Addon>> {
    sqlx::query("SELECT * FROM addons WHERE name = $1")
        .bind(name)
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(addon)
        .transpose()
}

/// Those that an app pays for, by name.
pub async fn of_app(tx: &mut Tx, app: AppId) -> Result<Vec<Addon>> {
    sqlx::query("SELECT * FROM addons WHERE app_id = $1 ORDER BY name")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(addon)
        .collect()
}

/// Those that live in an instance.
pub async fn of_instance(tx: &mut Tx, instance: InstanceId) -> Result<Vec<Addon>> {
    sqlx::query("SELECT * FROM addons WHERE instance_id = $1 ORDER BY name")
        .bind(instance.to_string())
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(addon)
        .collect()
}

/// All there are, by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<Addon>> {
    sqlx::query("SELECT * FROM addons ORDER BY name").fetch_all(tx.sql()).await?.iter().map(addon).collect()
}
