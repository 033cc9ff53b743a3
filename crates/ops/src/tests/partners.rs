//! Services that partners run: who registers them, what must stay while add-ons are in use, and what
//! partners may do to add-ons that are not theirs, or not any more.

use super::addons::order;
use super::*;
use crate::partners::{self, Exchange, Register};
use ::addons::Offer;
use ::addons::partner::Given;
use domain::AddonState;

const MANIFEST: &str = r#"{
    "id": "memo",
    "api": {
        "config_vars": ["MEMO_URL", "MEMO_TOKEN"], "password": "geheim-1234", "sso_salt": "salz-1234", "version": "3",
        "requires": ["many_per_app", "attachable"],
        "production": { "base_url": "https://memo.test/r", "sso_url": "https://memo.test/sso" },
        "test": { "base_url": "http://localhost:4567/r", "sso_url": "http://localhost:4567/sso" }
    },
    "plans": [{ "name": "small" }, { "name": "large" }]
}"#;

fn manifest(plans: &[&str]) -> Register {
    let offer = |name: &&str| Offer { name: (*name).to_owned(), title: None, cents: 0 };
    Register { manifest: MANIFEST.into(), plans: plans.iter().map(offer).collect(), test: false }
}

async fn world() -> World {
    let world = World::new().await;
    partners::register(&world.ops, &world.admin, manifest(&[])).await.unwrap();
    world
}

async fn made(world: &World, app: &str, id: &str) -> crate::addons::AddonInfo {
    let info = crate::addons::create(&world.ops, &world.admin, app, order("memo")).await.unwrap();
    let config = Some([("URL".to_owned(), format!("memo://{id}"))].into());
    let given = Given { id: Some(id.into()), config, ..Given::default() };
    partners::ordered(&world.ops, info.addon.id, given).await.unwrap().unwrap();
    info
}

#[tokio::test]
async fn what_add_ons_use_must_stay() {
    let world = world().await;
    world.app("shop").await;
    let addon = made(&world, "shop", "r1").await;
    let refused = partners::register(&world.ops, &world.admin, manifest(&["large"])).await;
    assert!(refusal(refused).contains("The plan small is in use by memo-"));
    partners::register(&world.ops, &world.admin, manifest(&["huge", "small"])).await.unwrap();
    assert_eq!(world.ops.catalog().service("memo").unwrap().default_plan, "huge");
    let refused = partners::unregister(&world.ops, &world.admin, "memo", true).await;
    assert!(refusal(refused).contains("is one of its add-ons. Destroy it first."));
    crate::addons::destroy(&world.ops, &world.admin, "shop", &addon.addon.name, false).await.unwrap();
    let refused = partners::unregister(&world.ops, &world.admin, "memo", false).await;
    assert!(refusal(refused).starts_with("409 conflict The partner has not taken"));
    partners::unregister(&world.ops, &world.admin, "memo", true).await.unwrap();
    assert!(world.ops.catalog().service("memo").is_none());
}

#[tokio::test]
async fn the_marketplace_is_the_same_after_a_restart_and_addresses_for_tests_are_used_if_asked_for() {
    let world = world().await;
    let register = Register { test: true, ..manifest(&[]) };
    partners::register(&world.ops, &world.admin, register).await.unwrap();
    let world = world.restart().await;
    assert!(world.ops.catalog().service("memo").is_none(), "not read yet");
    partners::load(&world.ops).await.unwrap();
    let service = world.ops.catalog().service("memo").cloned().unwrap();
    assert_eq!(service.contract.unwrap().base_url.as_str(), "http://localhost:4567/r");
    let twice = partners::register(&world.ops, &world.admin, manifest(&["a", "a"])).await;
    assert!(refusal(twice).contains("The plan \"a\" is there twice."));
    let bad = partners::register(&world.ops, &world.admin, manifest(&["A b"])).await;
    assert!(refusal(bad).contains("is no name"));
    let without =
        Register { manifest: MANIFEST.replace("\"test\"", "\"other\""), test: true, ..manifest(&[]) };
    let bad = partners::register(&world.ops, &world.admin, without).await;
    assert!(refusal(bad).contains("no addresses for tests"));
    let person = world.person("bob").await;
    assert!(refusal(partners::register(&world.ops, &person, manifest(&[])).await).starts_with("403"));
}

#[tokio::test]
async fn config_vars_come_by_attachments_and_change_with_a_release_each() {
    let world = world().await;
    let (shop, blog) = (world.app("shop").await, world.app("blog").await);
    let addon = made(&world, &shop, "r1").await;
    let attach = crate::attachments::Create {
        addon: addon.addon.name.clone(),
        app: blog.clone(),
        name: Some("notes".into()),
        ..Default::default()
    };
    crate::attachments::create(&world.ops, &world.admin, attach).await.unwrap();
    let vars = async |app: &str| crate::config_vars::info(&world.ops, &world.admin, app).await.unwrap().0;
    assert_eq!(vars(&shop).await, [("MEMO_URL".to_owned(), "memo://r1".to_owned())].into());
    assert_eq!(vars(&blog).await, [("NOTES_URL".to_owned(), "memo://r1".to_owned())].into());
    let caller = partners::authenticate_service(&world.ops, "memo", "geheim-1234").await.unwrap().unwrap();
    let change = [("MEMO_TOKEN".to_owned(), Some("t".to_owned()))].into();
    partners::set_config(&world.ops, &caller, "r1", change).await.unwrap();
    assert_eq!(vars(&blog).await["NOTES_TOKEN"], "t");
    for (app, line) in [(&shop, "Update MEMO by memo"), (&blog, "Update NOTES by memo")] {
        let ledger = world.ledger(app).await;
        assert!(ledger.last().unwrap().contains(line), "{ledger:?}");
    }
    let before = world.ledger(&shop).await.len();
    let same = [("MEMO_TOKEN".to_owned(), Some("t".to_owned()))].into();
    partners::set_config(&world.ops, &caller, "r1", same).await.unwrap();
    assert_eq!(world.ledger(&shop).await.len(), before, "nothing has changed");
    let refused = world.set(&shop, &[("MEMO_URL", Some("mine"))]).await;
    assert!(refusal(refused).contains("Cannot overwrite attachment values MEMO_URL"));
}

#[tokio::test]
async fn grants_and_tokens_run_out() {
    let world = world().await;
    world.app("shop").await;
    let addon = made(&world, "shop", "r1").await;
    let task = partners::task(&world.ops, addon.addon.id).await.unwrap().unwrap();
    let exchange = |grant_type: &str, shown: &str| Exchange {
        grant_type: grant_type.into(),
        shown: shown.into(),
        client_secret: task.partner.client_secret.clone(),
    };
    let late = partners::grant(&world.ops, addon.addon.id).await.unwrap().code;
    world.pass(300);
    assert!(partners::exchange(&world.ops, &exchange("authorization_code", &late)).await.is_err());
    let code = partners::grant(&world.ops, addon.addon.id).await.unwrap().code;
    let issued = partners::exchange(&world.ops, &exchange("authorization_code", &code)).await.unwrap();
    world.pass(8 * 3600 - 1);
    assert!(partners::authenticate(&world.ops, &issued.access_token).await.unwrap().is_some());
    world.pass(1);
    assert!(partners::authenticate(&world.ops, &issued.access_token).await.unwrap().is_none());
    let refresh = exchange("refresh_token", &issued.refresh_token);
    let mut first = None;
    for _ in 0..12 {
        world.pass(1);
        let again = partners::exchange(&world.ops, &refresh).await.unwrap();
        first.get_or_insert(again.access_token);
    }
    let first = partners::authenticate(&world.ops, &first.unwrap()).await.unwrap();
    assert!(first.is_none(), "only so many at a time");
    crate::addons::destroy(&world.ops, &world.admin, "shop", "MEMO", false).await.unwrap();
    assert!(partners::exchange(&world.ops, &refresh).await.is_err(), "they go with the add-on");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_only_taken_down() {
    let world = world().await;
    world.app("shop").await;
    let info = crate::addons::create(&world.ops, &world.admin, "shop", order("memo")).await.unwrap();
    crate::addons::destroy(&world.ops, &world.admin, "shop", "MEMO", false).await.unwrap();
    let given = Given { id: Some("r9".into()), ..Given::default() };
    partners::ordered(&world.ops, info.addon.id, given).await.unwrap().unwrap();
    let task = partners::task(&world.ops, info.addon.id).await.unwrap().unwrap();
    assert_eq!(task.addon.state, AddonState::Deprovisioning);
    assert_eq!(task.resource.provider_id.as_deref(), Some("r9"), "so that it can be given back");
}

#[tokio::test]
async fn options_are_for_partners() {
    let world = world().await;
    world.app("shop").await;
    let options = BTreeMap::from([("level".to_owned(), "3".to_owned())]);
    let input = crate::addons::Create { options, ..order("memo:large") };
    let info = crate::addons::create(&world.ops, &world.admin, "shop", input).await.unwrap();
    assert_eq!(info.resource.unwrap().options["level"], "3");
    let refused = crate::addons::create(&world.ops, &world.admin, "shop", order("memo:huge")).await;
    assert!(refusal(refused).contains("Its plans are: memo:small, memo:large."));
}
