//! What happened.

use crate::row::{Columns, integer, micros, text_of};
use crate::seal::{Place, open, seal};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::webhook::WebhookEvent;
use domain::{AppId, WebhookEventId};
use sqlx::sqlite::SqliteRow;

fn place(row: &str) -> Place<'_> {
    Place { table: "webhook_events", column: "sealed_payload", row }
}

fn read(tx: &Tx, row: &SqliteRow) -> Result<WebhookEvent> {
    let sealed = row.bytes_if_any("sealed_payload")?.unwrap_or_default();
    let payload = open(&tx.keys(), place(&row.text("id")?), &sealed)?;
    Ok(WebhookEvent {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        addon: row.parsed_if_any("addon_id")?,
        entity: row.text("entity")?,
        payload: String::from_utf8(payload.to_vec())
            .map_err(|_| StoreError::Corrupt { column: "sealed_payload", why: "not UTF-8".into() })?,
        seq: row.number("seq")?,
        created_at: row.time("created_at")?,
    })
}

/// The number of the next event.
pub async fn next_seq(write: &mut Write) -> Result<u64> {
    let row = sqlx::query("SELECT COALESCE(MAX(seq), 0) + 1 AS seq FROM webhook_events")
        .fetch_one(write.sql())
        .await?;
    row.number("seq")
}

/// Adds one.
pub async fn insert_event(write: &mut Write, event: &WebhookEvent) -> Result<()> {
    write.touch(Table::Webhooks);
    let id = event.id.to_string();
    let sealed = seal(&write.keys(), place(&id), event.payload.as_bytes())?;
    sqlx::query(
        "INSERT INTO webhook_events (id, app_id, addon_id, entity, sealed_payload, seq, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&id)
    .bind(event.app.to_string())
    .bind(text_of(event.addon.as_ref()))
    .bind(&event.entity)
    .bind(sealed)
    .bind(integer(event.seq))
    .bind(micros(event.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// One.
pub async fn event(tx: &mut Tx, id: WebhookEventId) -> Result<Option<WebhookEvent>> {
    let row = sqlx::query("SELECT * FROM webhook_events WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// An app's, oldest first.
pub async fn list_events(tx: &mut Tx, app: AppId) -> Result<Vec<WebhookEvent>> {
    let rows = sqlx::query("SELECT * FROM webhook_events WHERE app_id = $1 ORDER BY seq")
        .bind(app.to_string())
        .fetch_all(tx.sql())
        .await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// Removes all of an app's but the newest `count`, with their deliveries.
pub async fn trim_events(write: &mut Write, app: AppId, count: usize) -> Result<()> {
    write.touch(Table::Webhooks);
    sqlx::query(
        "DELETE FROM webhook_events WHERE app_id = $1 AND seq <=
             (SELECT seq FROM webhook_events WHERE app_id = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)",
    )
    .bind(app.to_string())
    .bind(integer(count as u64))
    .execute(write.sql())
    .await?;
    Ok(())
}
