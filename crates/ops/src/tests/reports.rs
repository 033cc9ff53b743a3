//! Reports about databases: who may have one, and for how long.

use super::addons::{make, order};
use super::*;
use crate::postgres::reports::{self, Wish};
use domain::Check;

#[tokio::test]
async fn a_report_lasts_a_month_and_is_for_who_may_read_the_config_vars() {
    let catalog = ::addons::Catalog::load(None).unwrap();
    let world = World::with(Settings { catalog: Arc::new(catalog), ..Settings::default() }).await;
    let app = world.app("shop").await;
    make(&world, &app, order("heroku-postgresql:mini")).await;
    let vars = crate::config_vars::info(&world.ops, &world.admin, &app).await.unwrap();
    let url = vars.0["DATABASE_URL"].clone();
    let wish = Wish { app, database: "DATABASE_URL".into(), url };
    let found = reports::by_url(&world.ops, &world.admin, &wish.url).await.unwrap();
    let checks = vec![Check::skipped("Load", "Nobody knows.")];
    let report = reports::keep(&world.ops, &world.admin, &found, &wish, checks.clone()).await.unwrap();
    let id = report.id.to_string();
    assert_eq!(reports::info(&world.ops, &world.admin, &id).await.unwrap(), report);
    // A pool of connections is the same database by another port.
    let pool = wish.url.replace(":5432/", ":5433/");
    assert_ne!(pool, wish.url);
    assert_eq!(reports::by_url(&world.ops, &world.admin, &pool).await.unwrap().addon, found.addon);

    let (stranger, reader) =
        (world.person("eve").await, world.token(&world.admin, &["read", "identity"]).await);
    let missing = |outcome: Result<()>| matches!(outcome, Err(Error::NotFound { .. }));
    assert!(missing(reports::info(&world.ops, &stranger, &id).await.map(drop)));
    assert!(missing(reports::by_url(&world.ops, &stranger, &wish.url).await.map(drop)));
    let refused = reports::info(&world.ops, &reader, &id).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");

    world.pass(30 * 86_400 + 1);
    assert!(missing(reports::info(&world.ops, &world.admin, &id).await.map(drop)));
    // The next one takes its place.
    reports::keep(&world.ops, &world.admin, &found, &wish, checks).await.unwrap();
    let old = store::reports::by_id(&mut world.ops.store().read().await.unwrap(), report.id).await.unwrap();
    assert_eq!(old, None);
}
