//! From how an app looks to what has happened.

use crate::{Ops, Result};
use domain::webhook::{DeliveryStatus, Webhook, WebhookDelivery, WebhookEvent};
use domain::{AddonId, AppId, WebhookDeliveryId, WebhookEventId};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use store::Write;
use store::webhooks::Shadow;
use uuid::Uuid;

/// Events of one app that are kept.
const KEPT: usize = 1000;

/// One thing that an app has, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `api:release`
    pub entity: &'static str,
    pub id: Uuid,
    pub data: Value,
    /// The add-on that it is about, if it is about one.
    pub addon: Option<AddonId>,
    /// Id and address of who is behind it.
    pub by: (Uuid, String),
}

/// What has happened to one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Create,
    Update,
    Destroy,
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Destroy => "destroy",
        }
    }

    /// Whether such a thing is told of this entity (as Heroku has it).
    fn is_told(self, entity: &str) -> bool {
        match entity {
            "api:addon-attachment" | "api:domain" => self != Self::Update,
            "api:build" | "api:release" => self != Self::Destroy,
            "api:dyno" => self == Self::Create,
            _ => true,
        }
    }

    /// The word that is told: types of processes come with code, and are only ever scaled.
    fn word(self, entity: &str) -> &'static str {
        match (self, entity) {
            (Self::Create, "api:formation") => "update",
            (change, _) => change.as_str(),
        }
    }
}

/// Notes how everything is when the first webhook is made.
pub(super) async fn begin(write: &mut Write, app: AppId, seen: Vec<Seen>) -> Result<()> {
    store::webhooks::forget_shadows(write, app).await?;
    for one in seen {
        store::webhooks::put_shadow(write, app, &shadow(&one)).await?;
    }
    Ok(())
}

/// Compares how everything is with how it was, and makes events of what differs. Nothing `seen` says that
/// the app is gone. Takes no actor: the loop that looks calls it. Returns how many events there are.
pub async fn observed(ops: &Ops, app: AppId, seen: &[Seen]) -> Result<usize> {
    let known = store::webhooks::shadows(&mut ops.store().read().await?, app).await?;
    let is_known = |one: &Seen| known.get(&(one.entity.to_owned(), one.id)) == Some(&one.data);
    // Mostly it is somebody else's app that has changed.
    if known.len() == seen.len() && seen.iter().all(is_known) {
        return Ok(0);
    }
    let mut write = ops.store().write().await?;
    let webhooks = store::webhooks::of_app(&mut write, app).await?;
    if webhooks.is_empty() {
        return Ok(0);
    }
    let there: BTreeSet<_> =
        seen.iter().filter(|one| one.entity == "api:addon").filter_map(|one| one.addon).collect();
    let webhooks = Told { webhooks, there };
    let mut before = store::webhooks::shadows(&mut write, app).await?;
    let mut count = 0;
    for one in seen {
        let old = before.remove(&(one.entity.to_owned(), one.id));
        let Some(change) = change(old.as_ref(), &one.data) else { continue };
        store::webhooks::put_shadow(&mut write, app, &shadow(one)).await?;
        if change.is_told(one.entity) && is_news(old.as_ref(), &one.data) {
            let happened = Happened {
                change,
                entity: one.entity,
                data: &one.data,
                previous: previous(old.as_ref(), &one.data),
                addon: one.addon,
                by: &one.by,
            };
            count += tell(ops, &mut write, app, &webhooks, &happened).await?;
        }
    }
    count += gone(ops, &mut write, app, &webhooks, before, seen).await?;
    if count > 0 {
        store::webhooks::trim_events(&mut write, app, KEPT).await?;
    }
    write.commit().await?;
    Ok(count)
}

/// What was there and is not any more.
async fn gone(
    ops: &Ops,
    write: &mut Write,
    app: AppId,
    webhooks: &Told,
    before: BTreeMap<(String, Uuid), Value>,
    seen: &[Seen],
) -> Result<usize> {
    let by = seen.iter().find(|one| one.entity == "api:app").map(|one| one.by.clone());
    let mut count = 0;
    for ((entity, id), data) in before {
        store::webhooks::delete_shadow(write, &entity, id).await?;
        if !Change::Destroy.is_told(&entity) {
            continue;
        }
        let addon = match entity.as_str() {
            "api:addon" => Some(AddonId(id)),
            "api:addon-attachment" => data["addon"]["id"].as_str().and_then(|id| id.parse().ok()),
            _ => None,
        };
        let owner = || {
            let id = data["owner"]["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
            (id, data["owner"]["email"].as_str().unwrap_or_default().to_owned())
        };
        let by = by.clone().unwrap_or_else(owner);
        let change = Change::Destroy;
        let happened = Happened {
            change,
            entity: &entity,
            data: &data,
            previous: Value::Object(Map::new()),
            addon,
            by: &by,
        };
        count += tell(ops, write, app, webhooks, &happened).await?;
    }
    Ok(count)
}

/// Who may be told.
struct Told {
    webhooks: Vec<Webhook>,
    /// Add-ons that are there: a partner is not told what comes after its own one's end.
    there: BTreeSet<AddonId>,
}

/// One event before it has a number.
struct Happened<'a> {
    change: Change,
    entity: &'a str,
    data: &'a Value,
    previous: Value,
    addon: Option<AddonId>,
    by: &'a (Uuid, String),
}

/// Writes an event, if somebody wants to know, and a delivery for each who does.
async fn tell(
    ops: &Ops,
    write: &mut Write,
    app: AppId,
    webhooks: &Told,
    happened: &Happened<'_>,
) -> Result<usize> {
    let told: Vec<_> = webhooks.webhooks.iter().filter(|one| wants(webhooks, one, happened)).collect();
    if told.is_empty() {
        return Ok(0);
    }
    let now = ops.now();
    let (by_id, by_email) = happened.by;
    let payload = json!({
        "action": happened.change.word(happened.entity),
        "actor": { "id": by_id, "email": by_email },
        "data": happened.data,
        "previous_data": happened.previous,
        "published_at": now,
        "resource": happened.entity.trim_start_matches("api:"),
        "version": "application/vnd.heroku+json; version=3",
    });
    let event = WebhookEvent {
        id: WebhookEventId::new(),
        app,
        addon: happened.addon,
        entity: happened.entity.to_owned(),
        payload: payload.to_string(),
        seq: store::webhooks::next_seq(write).await?,
        created_at: now,
    };
    store::webhooks::insert_event(write, &event).await?;
    for webhook in told {
        let delivery = WebhookDelivery {
            id: WebhookDeliveryId::new(),
            event: event.id,
            webhook: webhook.id,
            status: DeliveryStatus::Pending,
            attempts: 0,
            next_attempt_at: Some(now),
            last_attempt: None,
            created_at: now,
            updated_at: now,
        };
        store::webhooks::insert_delivery(write, &delivery).await?;
    }
    Ok(1)
}

/// A partner is told of its own add-on, and of the app as long as that is there; of other add-ons nothing.
fn wants(told: &Told, webhook: &Webhook, happened: &Happened<'_>) -> bool {
    let is_asked_for = webhook.include.iter().any(|entity| entity == happened.entity);
    let may_know = match (webhook.addon, happened.addon) {
        (None, _) => true,
        (Some(own), Some(other)) => own == other,
        (Some(own), None) => told.there.contains(&own),
    };
    is_asked_for && may_know
}

fn shadow(seen: &Seen) -> Shadow {
    Shadow { entity: seen.entity.to_owned(), resource: seen.id, data: seen.data.clone() }
}

fn change(old: Option<&Value>, new: &Value) -> Option<Change> {
    match old {
        None => Some(Change::Create),
        Some(old) if old == new => None,
        Some(_) => Some(Change::Update),
    }
}

/// The old values of what has changed.
fn previous(old: Option<&Value>, new: &Value) -> Value {
    let old = old.and_then(Value::as_object).into_iter().flatten();
    let changed = old.filter(|(name, value)| new.get(name) != Some(value));
    Value::Object(changed.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// That something was touched is no news by itself.
fn is_news(old: Option<&Value>, new: &Value) -> bool {
    let previous = previous(old, new);
    let names: BTreeSet<_> =
        previous.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    old.is_none() || names.iter().any(|name| *name != "updated_at")
}

/// Nobody is told of an app, or add-on, that is gone any more, once all who were to know do. Takes no actor.
pub async fn forget(ops: &Ops, app: AppId) -> Result<()> {
    let mut over = Vec::new();
    let mut tx = ops.store().read().await?;
    let is_there = store::apps::by_id(&mut tx, app).await?.is_some();
    for webhook in store::webhooks::of_app(&mut tx, app).await? {
        let addon = match webhook.addon {
            Some(id) => store::addons::by_id(&mut tx, id).await?.is_some_and(|addon| addon.state.is_there()),
            None => true,
        };
        if !(is_there && addon) && store::webhooks::pending(&mut tx, webhook.id).await? == 0 {
            over.push(webhook.id);
        }
    }
    drop(tx);
    if over.is_empty() {
        return Ok(());
    }
    let mut write = ops.store().write().await?;
    for id in over {
        store::webhooks::delete(&mut write, id).await?;
    }
    if store::webhooks::of_app(&mut write, app).await?.is_empty() {
        store::webhooks::forget_shadows(&mut write, app).await?;
    }
    Ok(write.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_apart() {
        let (old, new) =
            (json!({ "a": 1, "b": 2, "updated_at": 1 }), json!({ "a": 1, "b": 3, "updated_at": 2 }));
        assert_eq!(change(None, &new), Some(Change::Create));
        assert_eq!(change(Some(&new), &new), None);
        assert_eq!(change(Some(&old), &new), Some(Change::Update));
        assert_eq!(previous(Some(&old), &new), json!({ "b": 2, "updated_at": 1 }));
        assert!(is_news(Some(&old), &new) && is_news(None, &new));
        assert!(!is_news(Some(&old), &json!({ "a": 1, "b": 2, "updated_at": 2 })));
    }

    #[test]
    fn entities_have_their_own_words() {
        for (entity, told) in [
            ("api:addon", "create update destroy"),
            ("api:addon-attachment", "create destroy"),
            ("api:build", "create update"),
            ("api:dyno", "create"),
            ("api:formation", "update update destroy"),
            ("dyno", "create update destroy"),
        ] {
            let all = [Change::Create, Change::Update, Change::Destroy].into_iter();
            let words: Vec<_> =
                all.filter(|change| change.is_told(entity)).map(|change| change.word(entity)).collect();
            assert_eq!(words.join(" "), told, "{entity}");
        }
    }
}
