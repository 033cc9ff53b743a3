//! Events on their way.

use crate::row::{Columns, json_of, micros};
use crate::{Result, StoreError, Table, Tx, Write};
use domain::webhook::{DeliveryStatus, WebhookDelivery};
use domain::{AppId, WebhookDeliveryId, WebhookId};
use sqlx::sqlite::SqliteRow;

fn read(row: &SqliteRow) -> Result<WebhookDelivery> {
    let last = row.text_if_any("last_attempt")?;
    let corrupt =
        |error: serde_json::Error| StoreError::Corrupt { column: "last_attempt", why: error.to_string() };
    Ok(WebhookDelivery {
        id: row.parsed("id")?,
        event: row.parsed("event_id")?,
        webhook: row.parsed("webhook_id")?,
        status: row.word("status", DeliveryStatus::parse)?,
        attempts: row.number("attempts")?,
        next_attempt_at: row.time_if_any("next_attempt_at")?,
        last_attempt: last.map(|text| serde_json::from_str(&text).map_err(corrupt)).transpose()?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds one.
pub async fn insert_delivery(write: &mut Write, delivery: &WebhookDelivery) -> Result<()> {
    write.touch(Table::Webhooks);
    sqlx::query(
        "INSERT INTO webhook_deliveries (id, event_id, webhook_id, status, attempts, next_attempt_at,
                                         created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(delivery.id.to_string())
    .bind(delivery.event.to_string())
    .bind(delivery.webhook.to_string())
    .bind(delivery.status.as_str())
    .bind(i64::from(delivery.attempts))
    .bind(delivery.next_attempt_at.map(micros))
    .bind(micros(delivery.created_at))
    .bind(micros(delivery.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Writes how it goes.
pub async fn update_delivery(write: &mut Write, delivery: &WebhookDelivery) -> Result<()> {
    write.touch(Table::Webhooks);
    let last = match &delivery.last_attempt {
        Some(last) => Some(json_of("last_attempt", last)?),
        None => None,
    };
    sqlx::query(
        "UPDATE webhook_deliveries SET status = $2, attempts = $3, next_attempt_at = $4, last_attempt = $5,
                                       updated_at = $6
         WHERE id = $1",
    )
    .bind(delivery.id.to_string())
    .bind(delivery.status.as_str())
    .bind(i64::from(delivery.attempts))
    .bind(delivery.next_attempt_at.map(micros))
    .bind(last)
    .bind(micros(delivery.updated_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// One.
pub async fn delivery(tx: &mut Tx, id: WebhookDeliveryId) -> Result<Option<WebhookDelivery>> {
    sqlx::query("SELECT * FROM webhook_deliveries WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Those of an app's webhooks, oldest first.
pub async fn list_deliveries(tx: &mut Tx, app: AppId) -> Result<Vec<WebhookDelivery>> {
    sqlx::query(
        "SELECT webhook_deliveries.* FROM webhook_deliveries
         JOIN webhook_events ON webhook_events.id = webhook_deliveries.event_id
         WHERE webhook_events.app_id = $1 ORDER BY webhook_events.seq, webhook_deliveries.id",
    )
    .bind(app.to_string())
    .fetch_all(tx.sql())
    .await?
    .iter()
    .map(read)
    .collect()
}

/// All that are not over, in the order in which things happened.
pub async fn due(tx: &mut Tx) -> Result<Vec<WebhookDelivery>> {
    sqlx::query(
        "SELECT webhook_deliveries.* FROM webhook_deliveries
         JOIN webhook_events ON webhook_events.id = webhook_deliveries.event_id
         WHERE next_attempt_at IS NOT NULL ORDER BY webhook_events.seq, webhook_deliveries.id",
    )
    .fetch_all(tx.sql())
    .await?
    .iter()
    .map(read)
    .collect()
}

/// How many of a webhook's are not over.
pub async fn pending(tx: &mut Tx, webhook: WebhookId) -> Result<u64> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS count FROM webhook_deliveries
         WHERE webhook_id = $1 AND next_attempt_at IS NOT NULL",
    )
    .bind(webhook.to_string())
    .fetch_one(tx.sql())
    .await?;
    row.number("count")
}
