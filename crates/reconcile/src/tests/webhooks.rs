//! Webhooks that take what they are told, or not, and a server that is killed while it tells.

use super::harness::World;
use super::kills::harass;
use super::other_side::{Asked, OtherSide, Reply};
use crate::Show;
use async_trait::async_trait;
use domain::webhook::DeliveryStatus;
use domain::{AppId, ConfigVars};
use ops::Ops;
use ops::webhooks::{Create, DeliveryInfo, Of, Seen};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Apps and their releases as the rows have them.
pub(crate) struct Rows(pub(crate) Ops);

#[async_trait]
impl Show for Rows {
    async fn app(&self, id: AppId) -> Result<Vec<Seen>, ops::Error> {
        let mut tx = self.0.store().read().await?;
        let Some(app) = store::apps::by_id(&mut tx, id).await? else { return Ok(Vec::new()) };
        let by = (app.owner.0, "ada@example.com".to_owned());
        let seen = |entity, id, data| Seen { entity, id, data, addon: None, by: by.clone() };
        let mut all = vec![seen("api:app", app.id.0, json!({ "name": app.name.as_str() }))];
        for release in store::releases::list(&mut tx, id).await? {
            let data = json!({ "version": release.version, "description": release.description });
            all.push(seen("api:release", release.id.0, data));
        }
        Ok(all)
    }
}

impl World {
    async fn with_webhooks() -> Self {
        Self::with(|settings| {
            settings.source_networks = vec!["127.0.0.1/32".parse().unwrap()];
            settings.webhooks.rest = Duration::from_millis(2);
            settings.webhooks.longest_rest = Duration::from_millis(20);
        })
        .await
    }

    async fn hook(&self, app: &str, level: &str, url: String) -> Of {
        let of = ops::webhooks::of_app(&self.ops, &self.actor, app).await.unwrap();
        let create = Create {
            include: vec!["api:release".into(), "api:app".into()],
            level: level.into(),
            url,
            secret: Some("geheim".into()),
            authorization: Some("Bearer x".into()),
        };
        let seen = Rows(self.ops.clone()).app(of.app.id).await.unwrap();
        ops::webhooks::create(&self.ops, &of, create, seen).await.unwrap();
        of
    }

    async fn set(&self, app: &str, name: &str) -> ConfigVars {
        let vars = BTreeMap::from([(name.to_owned(), Some("1".to_owned()))]);
        ops::config_vars::update(&self.ops, &self.actor, app, vars).await.unwrap()
    }

    async fn deliveries(&self, of: &Of) -> Vec<DeliveryInfo> {
        ops::webhooks::deliveries(&self.ops, of, None).await.unwrap()
    }
}

/// What was told, once each, as `create Set A config vars`.
fn told(side: &OtherSide) -> Vec<String> {
    let mut all = Vec::new();
    for one in side.asked() {
        let body = one.json();
        let words =
            body["data"]["description"].as_str().or(body["data"]["name"].as_str()).unwrap_or_default();
        let line = format!("{} {words}", body["action"].as_str().unwrap_or_default());
        if !all.contains(&line) {
            all.push(line);
        }
    }
    all
}

/// Fails so often, and then takes everything.
fn after(failures: usize) -> impl FnMut(&Asked) -> Reply + Send + 'static {
    let left = Arc::new(AtomicUsize::new(failures));
    move |_| {
        let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        Reply::With(if fails { 500 } else { 200 }, String::new())
    }
}

#[tokio::test]
async fn who_is_to_be_in_step_is_told_until_it_takes_it_and_in_order() {
    let side = OtherSide::start(after(3)).await.unwrap();
    let mut world = World::with_webhooks().await;
    world.start();
    world.create_app("shop").await;
    let of = world.hook("shop", "sync", side.url()).await;
    for name in ["A", "B", "C"] {
        world.set("shop", name).await;
    }
    world
        .until("all is told", async || {
            let all = world.deliveries(&of).await;
            all.len() == 3 && all.iter().all(|one| one.delivery.status == DeliveryStatus::Succeeded)
        })
        .await;
    assert_eq!(
        told(&side),
        ["create Set A config vars", "create Set B config vars", "create Set C config vars"]
    );
    let first = &world.deliveries(&of).await[0].delivery;
    assert_eq!((first.attempts, first.next_attempt_at), (4, None));
    assert_eq!(first.last_attempt.as_ref().unwrap().code, Some(200));
    let (asked, again) = (side.asked()[0].clone(), side.asked()[1].clone());
    assert_eq!(asked.header("authorization"), "Bearer x");
    let meta = |asked: &Asked, what: &str| asked.json()["webhook_metadata"][what]["id"].to_string();
    assert_eq!(meta(&asked, "delivery"), meta(&again, "delivery"));
    assert_ne!(meta(&asked, "attempt"), meta(&again, "attempt"));
    assert_eq!(asked.json()["resource"], "release");
    assert_eq!(asked.header("heroku-webhook-hmac-sha256").len(), 44);
}

#[tokio::test]
async fn who_is_to_be_notified_is_told_once_and_the_inner_network_never() {
    let side = OtherSide::start(after(1000)).await.unwrap();
    let mut world = World::with_webhooks().await;
    world.start();
    world.create_app("shop").await;
    let of = world.hook("shop", "notify", side.url()).await;
    world.hook("shop", "notify", side.url().replace("127.0.0.1", "127.0.0.2")).await;
    world.hook("shop", "notify", "http://127.0.0.1:9/".into()).await;
    world.set("shop", "A").await;
    world
        .until("all is over", async || {
            let all = world.deliveries(&of).await;
            all.len() == 3 && all.iter().all(DeliveryInfo::is_over)
        })
        .await;
    let mut words: Vec<_> = world
        .deliveries(&of)
        .await
        .into_iter()
        .map(|info| {
            let last = info.delivery.last_attempt.unwrap();
            assert_eq!((info.delivery.status, info.delivery.attempts), (DeliveryStatus::Failed, 1));
            last.error.unwrap_or_else(|| last.code.unwrap_or_default().to_string())
        })
        .collect();
    words.sort();
    assert_eq!(words, ["500", "ConnectionFailed", "OwnNetwork"]);
    assert_eq!(side.asked().len(), 1);
}

#[tokio::test]
async fn the_end_of_an_app_is_told_and_then_nothing_is_left() {
    let side = OtherSide::start(after(2)).await.unwrap();
    let mut world = World::with_webhooks().await;
    world.start();
    let app = world.create_app("shop").await;
    world.hook("shop", "sync", side.url()).await;
    ops::apps::destroy(&world.ops, &world.actor, "shop").await.unwrap();
    world.until("its end is told", async || told(&side) == ["destroy shop"]).await;
    world
        .until("nothing is left", async || {
            let mut tx = world.ops.store().read().await.unwrap();
            store::webhooks::of_app(&mut tx, app.id).await.unwrap().is_empty()
                && store::webhooks::list_events(&mut tx, app.id).await.unwrap().is_empty()
                && store::webhooks::shadows(&mut tx, app.id).await.unwrap().is_empty()
        })
        .await;
    assert_eq!(side.asked().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_loses_an_event() {
    let side = OtherSide::start(after(5)).await.unwrap();
    let mut world = World::with_webhooks().await;
    world.create_app("shop").await;
    let of = world.hook("shop", "sync", side.url()).await;
    let names: Vec<_> = (0..12).map(|number| format!("N{number:02}")).collect();
    for name in &names {
        // Each is acknowledged while nobody looks.
        world.set("shop", name).await;
    }
    harass(&mut world, "all is told", async |world| {
        let all = world.deliveries(&of).await;
        all.len() == names.len() && all.iter().all(|one| one.delivery.status == DeliveryStatus::Succeeded)
    })
    .await;
    let expected: Vec<_> = names.iter().map(|name| format!("create Set {name} config vars")).collect();
    assert_eq!(told(&side), expected, "all of them, and in order");
}
