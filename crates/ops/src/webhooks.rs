//! Webhooks: who wants to be told of what happens to an app, what happened, and how telling it went.
//!
//! What happens is found by comparing: a loop hands over how everything that an app has looks now
//! ([`observed`]), and what differs from the last time becomes events and deliveries in the same
//! transaction that notes how it looks. So no event depends on who made the change, and none is lost when
//! the server dies. The price: what changes twice before the loop looks is told once.

mod observe;
mod progress;

pub use observe::{Seen, forget, observed};
pub use progress::{Parcel, attempted, parcel};

use crate::partners::Caller;
use crate::{Actor, AppRef, Error, Ops, Result, access, partners, random, text};
use domain::webhook::{DeliveryStatus, Level, Webhook, WebhookDelivery, WebhookEvent};
use domain::{AddonId, AppId, WebhookId};
use url::Url;

/// What can be told of. `dyno` is the life of dynos, `api:dyno` that one was made.
pub const ENTITIES: [&str; 10] = [
    "api:addon",
    "api:addon-attachment",
    "api:app",
    "api:build",
    "api:collaborator",
    "api:domain",
    "api:dyno",
    "api:formation",
    "api:release",
    "dyno",
];

/// What Heroku has besides and there is nothing of here.
const UNKNOWN_HERE: [&str; 1] = ["api:sni-endpoint"];

/// Webhooks about one app at most.
const LIMIT: usize = 50;

/// Whose webhooks are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Of {
    pub app: AppRef,
    /// Id and name of the add-on whose partner asks; `None` for users.
    pub addon: Option<(AddonId, String)>,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Create {
    pub include: Vec<String>,
    pub level: String,
    pub url: String,
    /// `None`: one is made.
    pub secret: Option<String>,
    pub authorization: Option<String>,
}

/// What is to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct Update {
    pub include: Option<Vec<String>>,
    pub level: Option<String>,
    pub url: Option<String>,
    pub secret: Option<String>,
    pub authorization: Option<String>,
}

/// A delivery with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryInfo {
    pub delivery: WebhookDelivery,
    pub entity: String,
    pub seq: u64,
    pub level: Level,
}

/// An app's webhooks, for one who may change it.
pub async fn of_app(ops: &Ops, actor: &Actor, app: &str) -> Result<Of> {
    let app = access::write(&mut ops.store().read().await?, actor, app).await?;
    Ok(Of { app: (&app).into(), addon: None })
}

/// A partner's webhooks about an add-on.
pub async fn of_addon(ops: &Ops, caller: &Caller, addon: &str) -> Result<Of> {
    let info = partners::addon(ops, caller, addon).await?;
    Ok(Of { app: info.app, addon: Some((info.addon.id, info.addon.name)) })
}

/// Whether an app is looked at already. If not, [`create`] has to be told how it is.
pub async fn is_watched(ops: &Ops, of: &Of) -> Result<bool> {
    Ok(!store::webhooks::of_app(&mut ops.store().read().await?, of.app.id).await?.is_empty())
}

/// Adds one. What happens from now on is told; `seen` is how everything is now.
pub async fn create(ops: &Ops, of: &Of, input: Create, seen: Vec<Seen>) -> Result<Webhook> {
    let now = ops.now();
    let webhook = Webhook {
        id: WebhookId::new(),
        app: of.app.id,
        addon: of.addon.as_ref().map(|(id, _)| *id),
        include: check_include(input.include)?,
        level: check_level(&input.level)?,
        url: check_url(&input.url)?,
        secret: match input.secret {
            Some(secret) => check_word("secret", secret)?,
            None => random::key(),
        },
        authorization: input.authorization.map(|text| check_word("authorization", text)).transpose()?,
        created_at: now,
        updated_at: now,
    };
    let mut write = ops.store().write().await?;
    let others = store::webhooks::of_app(&mut write, of.app.id).await?;
    if others.len() >= LIMIT {
        return Err(Error::invalid(format!("There can be at most {LIMIT} webhooks about an app.")));
    }
    if others.is_empty() {
        observe::begin(&mut write, of.app.id, seen).await?;
    }
    store::webhooks::put(&mut write, &webhook).await?;
    write.commit().await?;
    Ok(webhook)
}

/// All, oldest first.
pub async fn list(ops: &Ops, of: &Of) -> Result<Vec<Webhook>> {
    let mut list = store::webhooks::of_app(&mut ops.store().read().await?, of.app.id).await?;
    list.retain(|webhook| webhook.addon == of.addon.as_ref().map(|(id, _)| *id));
    Ok(list)
}

/// One by id.
pub async fn info(ops: &Ops, of: &Of, identity: &str) -> Result<Webhook> {
    let found = list(ops, of).await?.into_iter().find(|webhook| webhook.id.to_string() == identity);
    found.ok_or_else(|| Error::not_found("webhook"))
}

/// Changes one.
pub async fn update(ops: &Ops, of: &Of, identity: &str, input: Update) -> Result<Webhook> {
    let mut webhook = info(ops, of, identity).await?;
    if let Some(include) = input.include {
        webhook.include = check_include(include)?;
    }
    if let Some(level) = input.level {
        webhook.level = check_level(&level)?;
    }
    if let Some(url) = input.url {
        webhook.url = check_url(&url)?;
    }
    if let Some(secret) = input.secret {
        webhook.secret = check_word("secret", secret)?;
    }
    if let Some(authorization) = input.authorization {
        webhook.authorization = Some(check_word("authorization", authorization)?);
    }
    webhook.updated_at = ops.now();
    let mut write = ops.store().write().await?;
    if store::webhooks::by_id(&mut write, webhook.id).await?.is_none() {
        return Err(Error::not_found("webhook"));
    }
    store::webhooks::put(&mut write, &webhook).await?;
    write.commit().await?;
    Ok(webhook)
}

/// Removes one; what it was not told yet it is not told any more.
pub async fn destroy(ops: &Ops, of: &Of, identity: &str) -> Result<Webhook> {
    let webhook = info(ops, of, identity).await?;
    let mut write = ops.store().write().await?;
    store::webhooks::delete(&mut write, webhook.id).await?;
    if store::webhooks::of_app(&mut write, of.app.id).await?.is_empty() {
        store::webhooks::forget_shadows(&mut write, of.app.id).await?;
    }
    write.commit().await?;
    Ok(webhook)
}

/// What is on its way to these webhooks, or was, oldest first; of one status, or all.
pub async fn deliveries(ops: &Ops, of: &Of, status: Option<&str>) -> Result<Vec<DeliveryInfo>> {
    let webhooks = list(ops, of).await?;
    let mut tx = ops.store().read().await?;
    let events = store::webhooks::list_events(&mut tx, of.app.id).await?;
    let mut list = Vec::new();
    for delivery in store::webhooks::list_deliveries(&mut tx, of.app.id).await? {
        let webhook = webhooks.iter().find(|one| one.id == delivery.webhook);
        let event = events.iter().find(|one| one.id == delivery.event);
        let is_asked_for = status.is_none_or(|status| status == delivery.status.as_str());
        if let (Some(webhook), Some(event), true) = (webhook, event, is_asked_for) {
            let (entity, seq, level) = (event.entity.clone(), event.seq, webhook.level);
            list.push(DeliveryInfo { delivery, entity, seq, level });
        }
    }
    Ok(list)
}

/// One by id.
pub async fn delivery(ops: &Ops, of: &Of, identity: &str) -> Result<DeliveryInfo> {
    let all = deliveries(ops, of, None).await?;
    let found = all.into_iter().find(|info| info.delivery.id.to_string() == identity);
    found.ok_or_else(|| Error::not_found("webhook_delivery"))
}

/// What happened, as far as one of these webhooks wants to know, oldest first.
pub async fn events(ops: &Ops, of: &Of) -> Result<Vec<WebhookEvent>> {
    let told: Vec<_> = deliveries(ops, of, None).await?.into_iter().map(|info| info.delivery.event).collect();
    let mut events = store::webhooks::list_events(&mut ops.store().read().await?, of.app.id).await?;
    events.retain(|event| told.contains(&event.id));
    Ok(events)
}

/// One by id.
pub async fn event(ops: &Ops, of: &Of, identity: &str) -> Result<WebhookEvent> {
    let found = events(ops, of).await?.into_iter().find(|event| event.id.to_string() == identity);
    found.ok_or_else(|| Error::not_found("webhook_event"))
}

/// Apps that somebody wants to be told of. Takes no actor, as what follows.
pub async fn watched(ops: &Ops) -> Result<Vec<AppId>> {
    Ok(store::webhooks::apps(&mut ops.store().read().await?).await?)
}

fn check_include(include: Vec<String>) -> Result<Vec<String>> {
    let mut include: Vec<_> = include.into_iter().filter(|entity| !entity.is_empty()).collect();
    include.sort();
    include.dedup();
    let known =
        |entity: &&String| !ENTITIES.contains(&entity.as_str()) && !UNKNOWN_HERE.contains(&entity.as_str());
    if let Some(unknown) = include.iter().find(known) {
        return Err(Error::invalid(format!(
            "{unknown:?} is nothing that webhooks tell of. There are: {}.",
            ENTITIES.join(", ")
        )));
    }
    if include.is_empty() {
        return Err(Error::invalid(format!("Say what is to be told: {}.", ENTITIES.join(", "))));
    }
    Ok(include)
}

fn check_level(level: &str) -> Result<Level> {
    Level::parse(level)
        .ok_or_else(|| Error::invalid(format!("The level {level:?} is neither notify nor sync.")))
}

fn check_url(url: &str) -> Result<String> {
    let good = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if good && url.len() <= 2048 {
        return Ok(url.to_owned());
    }
    Err(Error::invalid("URL is invalid: use https:// or http:// and a host, at most 2048 bytes."))
}

/// Fits into a header.
fn check_word(what: &str, word: String) -> Result<String> {
    text::check(what, &word, 1024, &[])?;
    if word.is_ascii() {
        return Ok(word);
    }
    Err(Error::invalid(format!("The {what} may only have letters, digits and signs of ASCII.")))
}

impl DeliveryInfo {
    /// Whether nothing is done about it any more.
    pub fn is_over(&self) -> bool {
        matches!(self.delivery.status, DeliveryStatus::Succeeded | DeliveryStatus::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_checked() {
        let include = |list: &[&str]| check_include(list.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(include(&["dyno", "api:app", "dyno"]).unwrap(), ["api:app", "dyno"]);
        for bad in [&[][..], &[""], &["api:thing"], &["release"]] {
            assert!(matches!(include(bad), Err(Error::InvalidParams(_))), "{bad:?}");
        }
        assert!(check_level("sync").is_ok() && check_level("often").is_err());
        for (url, good) in [
            ("https://example.com/hooks", true),
            ("http://10.0.0.1:80/x", true),
            ("ftp://example.com", false),
            ("example.com", false),
        ] {
            assert_eq!(check_url(url).is_ok(), good, "{url}");
        }
        for (word, good) in [("Bearer x", true), ("a\nb", false), ("ü", false), ("", false)] {
            assert_eq!(check_word("secret", word.into()).is_ok(), good, "{word:?}");
        }
    }
}
