//! How telling goes. None of these takes an actor: the loop that tells calls them.

use crate::{Ops, Result};
use domain::webhook::{DeliveryStatus, Webhook, WebhookAttempt, WebhookDelivery, WebhookEvent};
use domain::{WebhookAttemptId, WebhookDeliveryId};
use jiff::Timestamp;
use serde_json::{Value, json};

/// All that is needed to tell.
pub struct Parcel {
    pub delivery: WebhookDelivery,
    pub webhook: Webhook,
    pub event: WebhookEvent,
    pub attempt: WebhookAttemptId,
    /// What is sent.
    pub body: String,
}

/// What is to be sent; `None` if nobody wants it any more.
pub async fn parcel(ops: &Ops, id: WebhookDeliveryId) -> Result<Option<Parcel>> {
    let mut tx = ops.store().read().await?;
    let Some(delivery) = store::webhooks::delivery(&mut tx, id).await? else { return Ok(None) };
    let Some(webhook) = store::webhooks::by_id(&mut tx, delivery.webhook).await? else { return Ok(None) };
    let Some(event) = store::webhooks::event(&mut tx, delivery.event).await? else { return Ok(None) };
    let attempt = WebhookAttemptId::new();
    let mut body: Value = serde_json::from_str(&event.payload).unwrap_or_default();
    body["id"] = json!(event.id.0);
    body["created_at"] = json!(event.created_at);
    body["updated_at"] = json!(event.created_at);
    body["sequence"] = json!(event.seq);
    body["webhook_metadata"] = json!({
        "attempt": { "id": attempt.0 },
        "delivery": { "id": delivery.id.0 },
        "event": { "id": event.id.0, "include": event.entity },
        "webhook": { "id": webhook.id.0 },
    });
    Ok(Some(Parcel { delivery, webhook, event, attempt, body: body.to_string() }))
}

/// An attempt is over. Without a `next` one that failed is given up.
pub async fn attempted(
    ops: &Ops,
    id: WebhookDeliveryId,
    attempt: WebhookAttempt,
    next: Option<Timestamp>,
) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut delivery) = store::webhooks::delivery(&mut write, id).await? else { return Ok(()) };
    delivery.attempts = delivery.attempts.saturating_add(1);
    (delivery.status, delivery.next_attempt_at) = match (attempt.succeeded(), next) {
        (true, _) => (DeliveryStatus::Succeeded, None),
        (false, Some(next)) => (DeliveryStatus::Retrying, Some(next)),
        (false, None) => (DeliveryStatus::Failed, None),
    };
    delivery.last_attempt = Some(attempt);
    delivery.updated_at = ops.now();
    store::webhooks::update_delivery(&mut write, &delivery).await?;
    Ok(write.commit().await?)
}
