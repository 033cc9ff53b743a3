//! Searching logs: who may, how far back, and what becomes of alerts.

use super::*;
use crate::papertrail::{self, AlertSet, Set};
use domain::papertrail::Search;

async fn world() -> (World, String) {
    let catalog = ::addons::Catalog::load(None).unwrap_or_else(|error| panic!("{error}"));
    let world = World::with(Settings { catalog: Arc::new(catalog), ..Settings::default() }).await;
    let app = world.app("shop").await;
    addons::make(&world, &app, addons::order("papertrail:choklad")).await;
    world.said();
    (world, app)
}

async fn add(world: &World, app: &str, seen: u64) -> Search {
    let alert =
        AlertSet { every: "minute".into(), webhook: Some("https://hooks.example.com/x".into()), email: None };
    let set =
        Set { name: Some("failures".into()), query: Some("failed".into()), alert: Some(Some(alert)), seen };
    papertrail::create(&world.ops, &world.admin, app, set).await.unwrap()
}

async fn now(world: &World, search: &Search) -> Search {
    let mut tx = world.ops.store().read().await.unwrap();
    store::papertrail::by_id(&mut tx, search.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_plan_says_how_far_back() {
    let (world, app) = world().await;
    let window = papertrail::window(&world.ops, &world.admin, &app).await.unwrap();
    assert_eq!((window.days, window.since), (2, "2025-12-30T00:00:00Z".parse().unwrap()));
    let id = window.app.id;
    let day = Duration::from_hours(24);
    assert_eq!(papertrail::kept(&world.ops).await.unwrap(), [(id, 64 << 20, 2 * day)]);
    let update = crate::addons::Update { plan: Some("papertrail:forsta".into()), name: None };
    crate::addons::update(&world.ops, &world.admin, &app, "PAPERTRAIL", update).await.unwrap();
    assert_eq!(papertrail::kept(&world.ops).await.unwrap(), [(id, 1 << 30, 14 * day)]);
    let vars = crate::config_vars::info(&world.ops, &world.admin, &app).await.unwrap();
    assert_eq!(vars.0["PAPERTRAIL_API_TOKEN"].len(), 20);
}

#[tokio::test]
async fn others_may_not() {
    let (world, app) = world().await;
    add(&world, &app, 0).await;
    let guest = world.person("guest").await;
    assert!(refusal(papertrail::window(&world.ops, &guest, &app).await).starts_with("403"));
    // Addresses of webhooks are secrets.
    let reader = world.token(&world.admin, &["read"]).await;
    assert!(papertrail::window(&world.ops, &reader, &app).await.is_ok());
    assert!(refusal(papertrail::list(&world.ops, &reader, &app).await).starts_with("403"));
    let writer = world.token(&world.admin, &["write"]).await;
    assert!(refusal(papertrail::destroy(&world.ops, &writer, &app, "failures").await).starts_with("403"));
    let other = world.app("other").await;
    let text = refusal(papertrail::window(&world.ops, &world.admin, &other).await);
    assert!(text.contains("heroku addons:create papertrail:choklad"), "{text}");
}

#[tokio::test]
async fn a_batch_goes_from_line_to_line() {
    let (world, app) = world().await;
    let search = add(&world, &app, 10).await;
    papertrail::looked(&world.ops, &search, 20, false).await.unwrap();
    let first = now(&world, &search).await;
    assert_eq!(first.alert.as_ref().map(|alert| (alert.seen, alert.batch.is_some())), Some((20, false)));
    // Somebody who looked before that is late.
    papertrail::looked(&world.ops, &search, 15, true).await.unwrap();
    assert_eq!(now(&world, &search).await, first);
    papertrail::looked(&world.ops, &first, 30, true).await.unwrap();
    let batch = now(&world, &search).await.alert.unwrap().batch.unwrap();
    assert_eq!((batch.after, batch.until), (20, 30));
    papertrail::not_sent(&world.ops, search.id, batch.id, "no luck", Some(world.ops.now())).await.unwrap();
    let alert = now(&world, &search).await.alert.unwrap();
    assert_eq!((alert.seen, alert.batch.map(|batch| batch.attempts)), (20, Some(1)));
    for _ in 0..2 {
        papertrail::sent(&world.ops, search.id, batch.id).await.unwrap();
    }
    let alert = now(&world, &search).await.alert.unwrap();
    assert_eq!((alert.seen, alert.batch, alert.failure), (30, None, None));

    let next = now(&world, &search).await;
    papertrail::looked(&world.ops, &next, 40, true).await.unwrap();
    let batch = now(&world, &search).await.alert.unwrap().batch.unwrap();
    world.said();
    papertrail::not_sent(&world.ops, search.id, batch.id, "no luck", None).await.unwrap();
    assert_eq!(
        world.said(),
        ["An alert of the search \"failures\" could not be sent and was given up: no luck"]
    );
    assert_eq!(now(&world, &search).await.alert.map(|alert| alert.seen), Some(40));
}

#[tokio::test]
async fn another_query_begins_where_the_log_is() {
    let (world, app) = world().await;
    let search = add(&world, &app, 10).await;
    papertrail::looked(&world.ops, &search, 30, true).await.unwrap();
    let change = Set { query: Some("broken".into()), seen: 50, ..Set::default() };
    papertrail::update(&world.ops, &world.admin, &app, "failures", change).await.unwrap();
    let alert = now(&world, &search).await.alert.unwrap();
    assert_eq!((alert.seen, alert.batch), (50, None));
    let world = world.restart().await;
    let kept = papertrail::list(&world.ops, &world.admin, &app).await.unwrap();
    assert_eq!((kept.len(), kept[0].query.to_string().as_str()), (1, "broken"));
    assert_eq!(kept[0].alert.as_ref().map(|alert| alert.to.address()), Some("https://hooks.example.com/x"));
    papertrail::destroy(&world.ops, &world.admin, &app, "failures").await.unwrap();
    assert!(papertrail::list(&world.ops, &world.admin, &app).await.unwrap().is_empty());
}
