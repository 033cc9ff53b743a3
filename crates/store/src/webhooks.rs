//! Webhooks, what they are told, and how apps were when they were last looked at. All of that is sealed:
//! addresses hold passwords, and what is told of an app holds addresses of its output.

mod deliveries;
mod events;
mod shadows;

pub use deliveries::{delivery, due, insert_delivery, list_deliveries, pending, update_delivery};
pub use events::{event, insert_event, list_events, next_seq, trim_events};
pub use shadows::{Shadow, delete_shadow, forget_shadows, put_shadow, shadows};

use crate::row::{Columns, json_of, micros, text_of};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::webhook::{Level, Webhook};
use domain::{AppId, WebhookId};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;

/// What is sealed of a webhook.
#[derive(Deserialize, Serialize)]
struct Target {
    url: String,
    secret: String,
    authorization: Option<String>,
}

fn place(row: &str) -> Place<'_> {
    Place { table: "webhooks", column: "sealed_target", row }
}

fn webhook(tx: &Tx, row: &SqliteRow) -> Result<Webhook> {
    let sealed = row.bytes_if_any("sealed_target")?.unwrap_or_default();
    let target = open(&tx.keys(), place(&row.text("id")?), &sealed)?;
    let target: Target = serde_json::from_slice(&target)
        .map_err(|_| StoreError::Corrupt { column: "sealed_target", why: "not what is expected".into() })?;
    Ok(Webhook {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        addon: row.parsed_if_any("addon_id")?,
        include: row.json("include")?,
        level: row.word("level", Level::parse)?,
        url: target.url,
        secret: target.secret,
        authorization: target.authorization,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds one, or writes all of it that can change.
pub async fn put(write: &mut Write, webhook: &Webhook) -> Result<()> {
    write.touch(Table::Webhooks);
    let id = webhook.id.to_string();
    let target = Target {
        url: webhook.url.clone(),
        secret: webhook.secret.clone(),
        authorization: webhook.authorization.clone(),
    };
    let text = json_of("sealed_target", &target)?;
    let sealed = seal(&write.keys(), place(&id), text.as_bytes())?;
    sqlx::query(
        "INSERT INTO webhooks (id, app_id, addon_id, include, level, sealed_target, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET include = $4, level = $5, sealed_target = $6, updated_at = $8",
    )
    .bind(&id)
    .bind(webhook.app.to_string())
    .bind(text_of(webhook.addon.as_ref()))
    .bind(json_of("include", &webhook.include)?)
    .bind(webhook.level.as_str())
    .bind(sealed)
    .bind(micros(webhook.created_at))
    .bind(micros(webhook.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Removes one with its deliveries.
pub async fn delete(write: &mut Write, id: WebhookId) -> Result<()> {
    write.touch(Table::Webhooks);
    sqlx::query("DELETE FROM webhooks WHERE id = $1").bind(id.to_string()).execute(write.sql()).await?;
    Ok(())
}

/// One.
pub async fn by_id(tx: &mut Tx, id: WebhookId) -> Result<Option<Webhook>> {
    let row = sqlx::query("SELECT * FROM webhooks WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| webhook(tx, &row)).transpose()
}

/// Those about an app, oldest first.
pub async fn of_app(tx: &mut Tx, app: AppId) -> Result<Vec<Webhook>> {
    let rows = sqlx::query("SELECT * FROM webhooks WHERE app_id = $1 ORDER BY created_at, id")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| webhook(tx, row)).collect()
}

/// The apps that some webhook is about.
pub async fn apps(tx: &mut Tx) -> Result<Vec<AppId>> {
    sqlx::query("SELECT DISTINCT app_id FROM webhooks ORDER BY app_id")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| row.parsed("app_id"))
        .collect()
}
