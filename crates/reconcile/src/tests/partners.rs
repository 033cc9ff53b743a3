//! Partners that behave well, slowly and badly, and a server that is killed while it asks them.

use super::harness::World;
use super::kills::harass;
use super::other_side::{Asked, OtherSide, Reply};
use domain::{Addon, AddonState, App};
use ops::partners::Register;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn manifest(url: &str) -> String {
    json!({
        "id": "memo", "name": "Memo",
        "api": {
            "config_vars": ["MEMO_URL", "MEMO_TOKEN"], "password": "geheim-1234", "sso_salt": "salz-1234",
            "requires": ["many_per_app", "attachable", "syslog_drain"], "version": "3",
            "production": { "base_url": format!("{url}/resources"), "sso_url": format!("{url}/sso") },
        },
        "plans": [{ "name": "small" }, { "name": "large" }],
    })
    .to_string()
}

/// What a good partner keeps: its resources by their ids.
type Shelf = Arc<Mutex<BTreeSet<String>>>;

/// Does what it is asked for, as often as it is asked.
fn good(shelf: &Shelf) -> impl FnMut(&Asked) -> Reply + Send + 'static {
    let shelf = shelf.clone();
    move |asked| {
        let mut shelf = shelf.lock().unwrap();
        match asked.method.as_str() {
            "POST" => {
                let id = asked.json()["uuid"].as_str().unwrap().to_owned();
                shelf.insert(id.clone());
                let config = json!({ "MEMO_URL": format!("memo://{id}"), "MEMO_TOKEN": "t1" });
                Reply::json(201, &json!({ "id": id, "config": config, "message": "Welcome." }))
            }
            "PUT" => Reply::json(200, &json!({ "config": { "MEMO_TOKEN": "t2" }, "message": "Larger." })),
            _ if shelf.remove(asked.path.rsplit('/').next().unwrap()) => Reply::With(204, String::new()),
            _ => Reply::With(410, String::new()),
        }
    }
}

impl World {
    async fn with_partner(side: &OtherSide) -> Self {
        let world = Self::with(|settings| {
            settings.partners.rest = Duration::from_millis(2);
            settings.partners.longest_rest = Duration::from_millis(20);
            settings.partners.keep_failed = Duration::ZERO;
        })
        .await;
        let register = Register { manifest: manifest(&side.url()), ..Register::default() };
        ops::partners::register(&world.ops, &world.actor, register).await.unwrap();
        world
    }

    async fn order_memo(&self, app: &App) -> Addon {
        let options = BTreeMap::from([("level".to_owned(), "3".to_owned())]);
        let input = ops::addons::Create { plan: "memo".into(), options, ..Default::default() };
        ops::addons::create(&self.ops, &self.actor, app.name.as_str(), input).await.unwrap().addon
    }

    async fn memo(&self, addon: &Addon) -> Option<Addon> {
        store::addons::by_id(&mut self.ops.store().read().await.unwrap(), addon.id).await.unwrap()
    }

    async fn state(&self, addon: &Addon, state: AddonState) {
        let what = format!("it is {}", state.as_str());
        self.until(&what, async || self.memo(addon).await.is_some_and(|one| one.state == state)).await;
    }

    async fn vars_of(&self, app: &App) -> BTreeMap<String, String> {
        ops::config_vars::info(&self.ops, &self.actor, app.name.as_str()).await.unwrap().0
    }

    async fn give_up_memo(&self, app: &App, addon: &Addon) {
        ops::addons::destroy(&self.ops, &self.actor, app.name.as_str(), &addon.name, false).await.unwrap();
    }
}

#[tokio::test]
async fn a_good_partner_makes_changes_and_takes_back() {
    let shelf = Shelf::default();
    let side = OtherSide::start(good(&shelf)).await.unwrap();
    let mut world = World::with_partner(&side).await;
    world.start();
    let app = world.create_app("shop").await;
    let addon = world.order_memo(&app).await;
    world.state(&addon, AddonState::Provisioned).await;
    let first = &side.asked()[0];
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/resources"));
    // `memo:geheim-1234`
    assert_eq!(first.header("authorization"), "Basic bWVtbzpnZWhlaW0tMTIzNA==");
    assert_eq!(first.header("accept"), "application/vnd.heroku-addons+json; version=3");
    let order = first.json();
    assert_eq!(order["uuid"], addon.id.to_string());
    assert_eq!((&order["plan"], &order["name"]), (&json!("small"), &json!(addon.name)));
    assert_eq!(order["options"], json!({ "level": "3" }));
    assert_eq!(order["callback_url"], format!("http://localhost:5000/addons/{}", addon.id));
    assert_eq!(order["oauth_grant"]["type"], "authorization_code");
    assert!(order["log_drain_token"].as_str().unwrap().starts_with("d."), "{order}");
    let vars = world.vars_of(&app).await;
    assert_eq!(vars["MEMO_URL"], format!("memo://{}", addon.id));

    let update = ops::addons::Update { plan: Some("large".into()), ..Default::default() };
    let info = ops::addons::update(&world.ops, &world.actor, "shop", "MEMO", update).await.unwrap();
    let info = ops::partners::plan_settled(&world.ops, info, Duration::from_secs(20)).await.unwrap();
    assert_eq!(info.addon.plan, "large");
    assert_eq!(world.vars_of(&app).await["MEMO_TOKEN"], "t2");
    assert_eq!(
        world.vars_of(&app).await["MEMO_URL"],
        format!("memo://{}", addon.id),
        "what is not named stays"
    );
    let put = side.asked().pop().unwrap();
    assert_eq!((put.method.as_str(), put.path), ("PUT", format!("/resources/{}", addon.id)));

    world.give_up_memo(&app, &addon).await;
    world.until("the row is gone", async || world.memo(&addon).await.is_none()).await;
    assert!(shelf.lock().unwrap().is_empty());
    assert!(world.vars_of(&app).await.is_empty());
}

#[tokio::test]
async fn one_that_needs_time_says_when_it_is_done() {
    let side = OtherSide::start(|asked| match asked.method.as_str() {
        "POST" => Reply::json(202, &json!({ "id": "r-7", "message": "In a moment." })),
        _ => Reply::With(200, String::new()),
    })
    .await
    .unwrap();
    let mut world = World::with_partner(&side).await;
    world.start();
    let app = world.create_app("shop").await;
    let addon = world.order_memo(&app).await;
    world.until("it was asked", async || !side.asked().is_empty()).await;
    world
        .until("it was accepted", async || {
            let mut tx = world.ops.store().read().await.unwrap();
            store::resources::by_addon(&mut tx, addon.id).await.unwrap().unwrap().accepted
        })
        .await;
    // A server that begins anew does not order again what was accepted.
    world.kill().await;
    world.start();
    world.until("all loops took a turn", async || world.ready()).await;
    assert_eq!(side.lines(), ["POST /resources"]);

    let code = side.asked()[0].json()["oauth_grant"]["code"].as_str().unwrap().to_owned();
    let partner = ops::partners::task(&world.ops, addon.id).await.unwrap().unwrap().partner;
    let exchange = ops::partners::Exchange {
        grant_type: "authorization_code".into(),
        shown: code,
        client_secret: partner.client_secret,
    };
    let token = ops::partners::exchange(&world.ops, &exchange).await.unwrap().access_token;
    let caller = ops::partners::authenticate(&world.ops, &token).await.unwrap().unwrap();
    let vars = [("MEMO_URL".to_owned(), Some("memo://7".to_owned()))].into();
    ops::partners::set_config(&world.ops, &caller, &addon.id.to_string(), vars).await.unwrap();
    assert!(world.vars_of(&app).await.is_empty(), "not before it is there");
    ops::partners::there(&world.ops, &caller, &addon.id.to_string()).await.unwrap();
    assert_eq!(world.vars_of(&app).await["MEMO_URL"], "memo://7");
    world.give_up_memo(&app, &addon).await;
    world.until("the row is gone", async || world.memo(&addon).await.is_none()).await;
    assert_eq!(side.lines(), ["POST /resources", "DELETE /resources/r-7"]);
    let gone = ops::partners::authenticate(&world.ops, &token).await.unwrap();
    assert_eq!(gone, None, "its tokens go with it");
}

#[tokio::test]
async fn what_a_bad_one_says_is_not_used_and_taken_back() {
    let huge = "x".repeat(300 * 1024);
    for (reply, words, given_back) in [
        (Reply::json(422, &json!({ "message": "Not for you." })), "Not for you.", None),
        (Reply::json(503, &json!({ "message": "We are full." })), "We are full.", None),
        (
            Reply::json(200, &json!({ "id": "r1", "config": { "PATH": "/evil" } })),
            "does not do it",
            Some("r1"),
        ),
        (
            Reply::json(200, &json!({ "id": "r2", "config": { "MEMO_URL": huge } })),
            "does not do it",
            Some(""),
        ),
        (
            Reply::json(200, &json!({ "id": "r3", "log_drain_url": "file:///etc" })),
            "does not do it",
            Some("r3"),
        ),
        (Reply::json(200, &json!({ "config": {} })), "does not do it", Some("")),
        (Reply::With(200, "garbage".into()), "does not do it", Some("")),
        (Reply::With(500, "oops".into()), "does not do it", Some("")),
        (Reply::Elsewhere("http://127.0.0.1:1/".into()), "does not do it", Some("")),
        (Reply::Cut, "does not do it", Some("")),
        (Reply::Never, "does not do it", Some("")),
    ] {
        let shown = format!("{reply:?}").chars().take(80).collect::<String>();
        let order = reply.clone();
        let answer = move |asked: &Asked| match asked.method.as_str() {
            "POST" => order.clone(),
            _ => Reply::With(404, String::new()),
        };
        let side = OtherSide::start(answer).await.unwrap();
        let mut world = World::with_partner(&side).await;
        world.settings.partners.attempts = 2;
        world.settings.partners.keep_failed = Duration::from_hours(1);
        // Only for the one that is waited out: a busy machine must not run into it elsewhere.
        if let Reply::Never = reply {
            world.settings.partner_patience = Duration::from_millis(500);
        }
        world.start();
        let app = world.create_app("shop").await;
        let addon = world.order_memo(&app).await;
        world.state(&addon, AddonState::Failed).await;
        let failure = world.memo(&addon).await.unwrap().failure.unwrap();
        assert!(failure.contains(words), "{shown}: {failure}");
        assert!(world.vars_of(&app).await.is_empty(), "{shown}");
        let expected = given_back.map(|id| {
            let id = if id.is_empty() { addon.id.to_string() } else { id.to_owned() };
            format!("DELETE /resources/{id}")
        });
        world
            .until("it is given back", async || {
                let mut tx = world.ops.store().read().await.unwrap();
                store::resources::by_addon(&mut tx, addon.id).await.unwrap().unwrap().gone
            })
            .await;
        let deleted = side.lines().into_iter().find(|line| line.starts_with("DELETE"));
        assert_eq!(deleted, expected, "{shown}");
        world.kill().await;
    }
}

#[tokio::test]
async fn a_name_that_another_add_on_has_is_refused_and_the_other_one_stays() {
    let side = OtherSide::start(|asked| match asked.method.as_str() {
        "POST" => Reply::json(200, &json!({ "id": "same", "config": { "MEMO_URL": "memo://1" } })),
        _ => Reply::With(204, String::new()),
    })
    .await
    .unwrap();
    let mut world = World::with_partner(&side).await;
    world.start();
    let (shop, blog) = (world.create_app("shop").await, world.create_app("blog").await);
    let one = world.order_memo(&shop).await;
    world.state(&one, AddonState::Provisioned).await;
    let two = world.order_memo(&blog).await;
    world.until("the other one is gone", async || world.memo(&two).await.is_none()).await;
    let deleted: Vec<_> = side.lines().into_iter().filter(|line| line.starts_with("DELETE")).collect();
    assert_eq!(deleted, [format!("DELETE /resources/{}", two.id)], "by our name for it, not by the other's");
    assert_eq!(world.memo(&one).await.unwrap().state, AddonState::Provisioned);
}

#[tokio::test]
async fn a_plan_that_is_refused_stays_with_the_partner_s_words() {
    let shelf = Shelf::default();
    let side = OtherSide::start(good(&shelf)).await.unwrap();
    let mut world = World::with_partner(&side).await;
    world.start();
    let app = world.create_app("shop").await;
    let addon = world.order_memo(&app).await;
    world.state(&addon, AddonState::Provisioned).await;
    side.answers(|_| Reply::json(422, &json!({ "message": "Pay first." })));
    let update = || ops::addons::Update { plan: Some("large".into()), ..Default::default() };
    let info = ops::addons::update(&world.ops, &world.actor, "shop", "MEMO", update()).await.unwrap();
    let refused = ops::partners::plan_settled(&world.ops, info, Duration::from_secs(20)).await.unwrap_err();
    assert_eq!(refused.to_string(), "Pay first.");
    assert_eq!(world.memo(&addon).await.unwrap().plan, "small");
    side.answers(good(&shelf));
    let info = ops::addons::update(&world.ops, &world.actor, "shop", "MEMO", update()).await.unwrap();
    let info = ops::partners::plan_settled(&world.ops, info, Duration::from_secs(20)).await.unwrap();
    assert_eq!(info.addon.plan, "large");
}

#[tokio::test]
async fn what_is_given_up_during_an_outage_is_taken_back_after_it() {
    let shelf = Shelf::default();
    let side = OtherSide::start(good(&shelf)).await.unwrap();
    let mut world = World::with_partner(&side).await;
    world.start();
    let app = world.create_app("shop").await;
    let addon = world.order_memo(&app).await;
    world.state(&addon, AddonState::Provisioned).await;
    side.answers(|_| Reply::With(503, "<html>".into()));
    let before = side.lines().len();
    ops::apps::destroy(&world.ops, &world.actor, "shop").await.unwrap();
    world.until("it was asked many times", async || side.lines().len() > before + 8).await;
    let refused = ops::partners::unregister(&world.ops, &world.actor, "memo", false).await.unwrap_err();
    assert!(refused.to_string().contains("has not taken"), "{refused}");
    side.answers(good(&shelf));
    world.until("the row is gone", async || world.memo(&addon).await.is_none()).await;
    assert!(shelf.lock().unwrap().is_empty());
    ops::partners::unregister(&world.ops, &world.actor, "memo", false).await.unwrap();
    assert!(world.ops.catalog().service("memo").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_while_a_partner_is_asked_leave_nothing_behind() {
    let shelf = Shelf::default();
    let side = OtherSide::start(good(&shelf)).await.unwrap();
    let mut world = World::with_partner(&side).await;
    let app = world.create_app("shop").await;
    let mut addons = Vec::new();
    for _ in 0..3 {
        addons.push(world.order_memo(&app).await);
    }
    harass(&mut world, "all are there", async |world| {
        let mut there = true;
        for addon in &addons {
            there &= world.memo(addon).await.unwrap().state == AddonState::Provisioned;
        }
        there
    })
    .await;
    assert_eq!(shelf.lock().unwrap().len(), 3, "asked more often, made once");
    for addon in &addons {
        world.give_up_memo(&app, addon).await;
    }
    harass(&mut world, "all are gone", async |world| {
        let mut there = false;
        for addon in &addons {
            there |= world.memo(addon).await.is_some();
        }
        !there
    })
    .await;
    assert!(shelf.lock().unwrap().is_empty());
}
