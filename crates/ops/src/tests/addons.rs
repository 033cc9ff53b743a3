//! Add-ons: ordered, provisioned, shared, replaced, given up; what apps see of them, and the releases
//! that they make.

use super::*;
use crate::addons::{self, Create, Update};
use crate::{attachments, builds, config_vars, releases};
use domain::{AddonId, AddonState};

const CATALOG: &str = r#"
name = "db"
title = "Database"
summary = "Keeps."
default_plan = "small"
[attachment]
first = "DATABASE"
further = "DB"
[config]
URL = "db://{user}:{password}@{host}:{port}"
[values]
user = { random = 8, each_credential = true }
password = { random = 8, each_credential = true }
[run]
packages = ["db"]
port = 1234
start = "exec db"
shared = { memory = 64, disk = 64 }
[hooks]
deprovision = "drop"
[[plans]]
name = "small"
aliases = ["mini"]
title = "Small"
shared = true
[[plans]]
name = "large"
title = "Large"
memory = 128
disk = 128
[[plans]]
name = "huge"
title = "Huge"
memory = 256
disk = 256
"#;

async fn world() -> World {
    let mut catalog = ::addons::Catalog::default();
    catalog.add("test", CATALOG).unwrap();
    World::with(Settings { catalog: Arc::new(catalog), ..Settings::default() }).await
}

pub(super) fn order(plan: &str) -> Create {
    Create { plan: plan.into(), ..Create::default() }
}

pub(super) async fn make(world: &World, app: &str, input: Create) -> addons::AddonInfo {
    let info = addons::create(&world.ops, &world.admin, app, input).await.unwrap();
    assert_eq!(info.addon.state, AddonState::Provisioning);
    addons::provisioned(&world.ops, info.addon.id).await.unwrap();
    addons::info(&world.ops, &world.admin, &info.addon.name).await.unwrap()
}

async fn vars(world: &World, app: &str) -> BTreeMap<String, String> {
    config_vars::info(&world.ops, &world.admin, app).await.unwrap().0
}

#[tokio::test]
async fn an_add_on_gives_its_vars_once_it_is_there() {
    let world = world().await;
    let app = world.app("shop").await;
    let asked = addons::create(&world.ops, &world.admin, &app, order("db:mini")).await.unwrap();
    assert_eq!(
        (asked.addon.plan.as_str(), asked.config_vars.as_slice()),
        ("small", &["DATABASE_URL".to_owned()][..])
    );
    assert!(vars(&world, &app).await.is_empty());
    assert_eq!(world.ledger(&app).await.len(), 2);
    addons::provisioned(&world.ops, asked.addon.id).await.unwrap();
    addons::provisioned(&world.ops, asked.addon.id).await.unwrap();
    let url = vars(&world, &app).await["DATABASE_URL"].clone();
    assert!(url.starts_with("db://") && url.ends_with("@10.201.192.1:1234"), "{url}");
    let what = format!("v3* Attach DATABASE (@ref:{}) succeeded", asked.addon.name);
    assert_eq!(world.ledger(&app).await[2..], [what]);

    let text = refusal(world.set(&app, &[("DATABASE_URL", Some("mine")), ("A", Some("1"))]).await);
    assert!(text.contains("Cannot overwrite attachment values DATABASE_URL"), "{text}");
    let all = world.set(&app, &[("A", Some("1"))]).await.unwrap();
    assert_eq!(all.0.keys().collect::<Vec<_>>(), ["A", "DATABASE_URL"]);
}

#[tokio::test]
async fn a_first_deploy_gets_what_its_buildpack_asks_for() {
    let world = world().await;
    let app = world.app("shop").await;
    let build = world.build(&app).await;
    let wanted = ["db:mini".to_owned(), "nonsense".to_owned()];
    let names = async || {
        let ordered = builds::order_addons(&world.ops, build.id, &wanted).await.unwrap();
        assert_eq!(ordered.iter().map(|one| one.plan.as_str()).collect::<Vec<_>>(), ["db:mini", "nonsense"]);
        let text = ordered[1].addon.as_ref().unwrap_err().to_string();
        assert!(text.contains("There are: db."), "{text}");
        ordered[0].addon.as_ref().unwrap().addon.name.clone()
    };
    let name = names().await;
    assert_eq!(names().await, name, "a build that is begun again orders nothing twice");
    assert_eq!(addons::list_of_app(&world.ops, &world.admin, &app).await.unwrap().len(), 1);

    let other = world.app("blog").await;
    let shared = attachments::Create { app: other.clone(), addon: name.clone(), ..Default::default() };
    attachments::create(&world.ops, &world.admin, shared).await.unwrap();
    let build = world.build(&other).await;
    let ordered = builds::order_addons(&world.ops, build.id, &wanted[..1]).await.unwrap();
    assert_eq!(ordered[0].addon.as_ref().unwrap().addon.name, name, "what is attached is enough");

    let last = world.app("late").await;
    world.deploy(&last, &[("web", "x")]).await;
    let build = world.build(&last).await;
    assert!(builds::order_addons(&world.ops, build.id, &wanted).await.unwrap().is_empty());
}

#[tokio::test]
async fn small_plans_share_an_instance_and_others_have_their_own() {
    let world = world().await;
    let app = world.app("shop").await;
    let [one, two, three] = [
        make(&world, &app, order("db")).await,
        make(&world, &app, order("db:small")).await,
        make(&world, &app, order("db:large")).await,
    ];
    assert_eq!(one.addon.instance, two.addon.instance);
    assert_ne!(one.addon.instance, three.addon.instance);
    let vars = vars(&world, &app).await;
    let hosts: Vec<_> = vars.values().map(|url| url.rsplit_once('@').unwrap().1).collect();
    assert_eq!(hosts.iter().filter(|host| **host == "10.201.192.1:1234").count(), 2, "{hosts:?}");
    assert_eq!(vars.keys().filter(|name| name.starts_with("DB_")).count(), 2, "{:?}", vars.keys());
}

#[tokio::test]
async fn orders_that_cannot_be_met() {
    let world = world().await;
    let app = world.app("shop").await;
    world.set(&app, &[("MINE_URL", Some("x"))]).await.unwrap();
    make(&world, &app, Create { name: Some("taken".into()), ..order("db") }).await;
    let named = |name: &str| Create { name: Some(name.into()), ..order("db") };
    let attached = |name: &str| Create { attachment: Some(name.into()), ..order("db") };
    for (input, words) in [
        (
            order("db:tiny"),
            "422 invalid_params Couldn't find either the add-on service or the add-on plan of \"db:tiny\". Its plans are: db:small, db:large, db:huge.",
        ),
        (order("nothing"), "There are: db."),
        (named("taken"), "Name taken is already taken."),
        (named("1x"), "Add-on name \"1x\" is not valid"),
        (attached("a-b"), "Attachment name \"A-B\" is not valid"),
        (attached("mine"), "has a config var MINE_URL already"),
        (attached("database"), "423 confirmation_required DATABASE is in use by taken on the app shop."),
    ] {
        let text = refusal(addons::create(&world.ops, &world.admin, &app, input).await);
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(addons::list(&world.ops, &world.admin).await.unwrap().len(), 1, "nothing is half done");
}

#[tokio::test]
async fn an_attachment_that_is_replaced_leaves_no_moment_without_its_vars() {
    let world = world().await;
    let app = world.app("shop").await;
    let old = make(&world, &app, order("db")).await;
    let new = make(&world, &app, Create { attachment: Some("NEXT".into()), ..order("db") }).await;
    let next = vars(&world, &app).await["NEXT_URL"].clone();
    let promote = attachments::Create {
        addon: new.addon.name.clone(),
        app: app.clone(),
        name: Some("DATABASE".into()),
        confirm: Some(app.clone()),
        namespace: None,
    };
    attachments::create(&world.ops, &world.admin, promote).await.unwrap();
    let vars = vars(&world, &app).await;
    assert_eq!((&vars["DATABASE_URL"], &vars["NEXT_URL"]), (&next, &next));
    let ledger = world.ledger(&app).await;
    let [detach, attach] = &ledger[ledger.len() - 2..] else { panic!("{ledger:?}") };
    assert!(detach.contains(&format!("Detach DATABASE (@ref:{})", old.addon.name)), "{detach}");
    assert!(attach.contains(&format!("Attach DATABASE (@ref:{})", new.addon.name)), "{attach}");
    let between = detach.split(' ').next().unwrap();
    let between = config_vars::info_of_release(&world.ops, &world.admin, &app, between).await.unwrap();
    assert_eq!(between.0["DATABASE_URL"], next);
}

#[tokio::test]
async fn a_rollback_brings_no_old_password_back() {
    let world = world().await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "run")]).await;
    let made = make(&world, &app, order("db")).await;
    let with = world.ledger(&app).await.len();
    addons::destroy(&world.ops, &world.admin, &app, &made.addon.name, false).await.unwrap();
    assert!(!vars(&world, &app).await.contains_key("DATABASE_URL"));
    releases::rollback(&world.ops, &world.admin, &app, &with.to_string()).await.unwrap();
    assert!(!vars(&world, &app).await.contains_key("DATABASE_URL"));
}

#[tokio::test]
async fn sharing_and_the_ends_of_it() {
    let world = world().await;
    let (shop, reader) = (world.app("shop").await, world.app("reader").await);
    let made = make(&world, &shop, order("db")).await;
    let share = attachments::Create {
        addon: made.addon.name.clone(),
        app: reader.clone(),
        name: Some("shared".into()),
        ..attachments::Create::default()
    };
    let shared = attachments::create(&world.ops, &world.admin, share).await.unwrap();
    assert!(vars(&world, &reader).await.contains_key("SHARED_URL"));
    let seen = addons::resolve(&world.ops, &world.admin, "SHARED_URL", Some(&reader), None).await.unwrap();
    assert_eq!(seen[0].addon.id, made.addon.id);
    for text in [
        refusal(addons::destroy(&world.ops, &world.admin, &shop, "DATABASE", false).await),
        refusal(crate::apps::destroy(&world.ops, &world.admin, &shop).await),
    ] {
        assert!(text.contains("also attached to reader"), "{text}");
    }
    let text = refusal(addons::destroy(&world.ops, &world.admin, &reader, "SHARED", true).await);
    assert!(text.starts_with("403"), "{text}");
    attachments::destroy(&world.ops, &world.admin, &shared.attachment.id.to_string()).await.unwrap();
    assert!(vars(&world, &reader).await.is_empty());

    crate::apps::destroy(&world.ops, &world.admin, &shop).await.unwrap();
    let state = state_of(&world, made.addon.id).await;
    assert_eq!(state, Some(AddonState::Deprovisioning));
    assert!(addons::list(&world.ops, &world.admin).await.unwrap().is_empty());
    addons::gone(&world.ops, made.addon.id, false).await.unwrap();
    assert_eq!(state_of(&world, made.addon.id).await, None);
}

async fn state_of(world: &World, id: AddonId) -> Option<AddonState> {
    let mut tx = world.ops.store().read().await.unwrap();
    store::addons::by_id(&mut tx, id).await.unwrap().map(|addon| addon.state)
}

#[tokio::test]
async fn one_that_cannot_be_made_is_told_about_and_taken_away() {
    let world = world().await;
    let app = world.app("shop").await;
    let asked = addons::create(&world.ops, &world.admin, &app, order("db:large")).await.unwrap();
    addons::failed(&world.ops, asked.addon.id, "no luck").await.unwrap();
    let told = addons::info_of_app(&world.ops, &world.admin, &app, &asked.addon.name).await.unwrap();
    assert_eq!((told.addon.state.shown(), told.addon.failure.as_deref()), ("deprovisioned", Some("no luck")));
    assert!(attachments::list_of_app(&world.ops, &world.admin, &app).await.unwrap().is_empty());
    addons::gone(&world.ops, asked.addon.id, true).await.unwrap();
    let instances = store::instances::list(&mut world.ops.store().read().await.unwrap()).await.unwrap();
    assert!(instances[0].removed);
    // The name it would have had is free for the next one.
    make(&world, &app, order("db:large")).await;
    assert!(vars(&world, &app).await.contains_key("DATABASE_URL"));
}

#[tokio::test]
async fn plans_change_within_their_kind() {
    let world = world().await;
    let app = world.app("shop").await;
    let made = make(&world, &app, order("db:large")).await;
    let to = |plan: &str| Update { plan: Some(plan.into()), name: None };
    let change = |plan: &str| addons::update(&world.ops, &world.admin, "shop", "DATABASE", to(plan));
    assert!(refusal(change("small").await).contains("of different kinds"));
    assert_eq!(change("db:huge").await.unwrap().addon.plan, "huge");
    assert!(refusal(change("large").await).contains("less disk"));
    let mut tx = world.ops.store().read().await.unwrap();
    let instance = store::instances::by_id(&mut tx, made.addon.instance.unwrap()).await.unwrap().unwrap();
    assert_eq!(instance.plan.as_deref(), Some("huge"));
}
