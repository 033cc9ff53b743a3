//! Webhooks, their deliveries and events.

use domain::webhook::{Webhook, WebhookAttempt, WebhookEvent};
use ops::webhooks::{DeliveryInfo, Of};
use wire::NamedRef;

pub(crate) fn webhook(of: &Of, webhook: &Webhook) -> wire::webhook::Webhook {
    let addon = of.addon.as_ref().map(|(id, name)| NamedRef { id: id.0, name: name.clone() });
    wire::webhook::Webhook {
        id: webhook.id.0,
        app: addon.is_none().then(|| super::app_ref(&of.app)),
        addon,
        include: webhook.include.clone(),
        level: webhook.level.as_str().into(),
        url: webhook.url.clone(),
        created_at: webhook.created_at.into(),
        updated_at: webhook.updated_at.into(),
    }
}

pub(crate) fn delivery(info: &DeliveryInfo) -> wire::webhook::Delivery {
    let delivery = &info.delivery;
    wire::webhook::Delivery {
        id: delivery.id.0,
        event: wire::webhook::EventRef { id: delivery.event.0, include: info.entity.clone() },
        webhook: wire::webhook::WebhookRef { id: delivery.webhook.0, level: info.level.as_str().into() },
        status: delivery.status.as_str().into(),
        num_attempts: delivery.attempts,
        next_attempt_at: delivery.next_attempt_at.map(Into::into),
        last_attempt: delivery.last_attempt.as_ref().map(attempt),
        seq: info.seq,
        created_at: delivery.created_at.into(),
        updated_at: delivery.updated_at.into(),
    }
}

fn attempt(attempt: &WebhookAttempt) -> wire::webhook::Attempt {
    wire::webhook::Attempt {
        id: attempt.id.0,
        code: attempt.code,
        error_class: attempt.error.clone(),
        status: if attempt.succeeded() { "succeeded" } else { "failed" }.into(),
        created_at: attempt.at.into(),
        updated_at: attempt.at.into(),
    }
}

pub(crate) fn event(event: &WebhookEvent) -> wire::webhook::Event {
    wire::webhook::Event {
        id: event.id.0,
        include: event.entity.clone(),
        payload: serde_json::from_str(&event.payload).unwrap_or_default(),
        seq: event.seq,
        created_at: event.created_at.into(),
        updated_at: event.created_at.into(),
    }
}
