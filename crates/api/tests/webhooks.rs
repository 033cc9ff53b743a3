//! Webhooks over HTTP: who may have them, what is told of them, and what a partner is told.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use http::StatusCode;
use serde_json::{Value, json};
use support::{ACCEPT, World};

fn create(include: &[&str]) -> Value {
    json!({ "include": include, "level": "sync", "url": "https://user:geheim@example.com/hooks" })
}

/// What the loop does when something has changed.
async fn look(world: &World, app: &str) -> usize {
    let id = world.app_id(app).await;
    let seen = api::snapshot(&world.ops, &api::Config::default(), id).await.unwrap();
    ops::webhooks::observed(&world.ops, id, &seen).await.unwrap()
}

#[tokio::test]
async fn what_happens_after_the_answer_is_told_and_nothing_before() {
    let world = World::new().await;
    let app = world.create_app().await;
    let path = format!("/apps/{app}/webhooks");
    world.request("POST", &format!("/apps/{app}/domains"), json!({ "hostname": "old.example.com" })).await;
    let made = world.request("POST", &path, create(&["api:domain", "api:release"])).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.header("heroku-webhook-secret").len(), 64);
    assert_eq!(made.body["app"]["name"], json!(app));
    assert_eq!(look(&world, &app).await, 0, "nothing has happened since");

    world.request("POST", &format!("/apps/{app}/domains"), json!({ "hostname": "new.example.com" })).await;
    world.request("DELETE", &format!("/apps/{app}/domains/old.example.com"), Value::Null).await;
    world.request("PATCH", &format!("/apps/{app}/config-vars"), json!({ "A": "1" })).await;
    world.request("PATCH", &format!("/apps/{app}"), json!({ "maintenance": true })).await;
    assert!(look(&world, &app).await >= 3);
    assert_eq!(look(&world, &app).await, 0, "each is told once");
    let events = world.request("GET", &format!("/apps/{app}/webhook-events"), Value::Null).await.body;
    let lines: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let payload = &event["payload"];
            let what = payload["data"]["hostname"].as_str().or(payload["data"]["description"].as_str());
            format!("{} {} {}", event["include"], payload["action"], what.unwrap_or_default())
                .replace('"', "")
        })
        .collect();
    assert!(lines.contains(&"api:domain create new.example.com".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"api:domain destroy old.example.com".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"api:release create Set A config vars".to_owned()), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("api:app")), "{lines:#?}");

    let list = format!("/apps/{app}/webhook-deliveries");
    let newest = world.range(&list, "seq ..; order=desc,max=1").await;
    assert_eq!((newest.status, newest.body.as_array().unwrap().len()), (StatusCode::PARTIAL_CONTENT, 1));
    let of = async |status: &str| {
        let list = world.request("GET", &format!("{list}?eq[status]={status}"), Value::Null).await;
        list.body.as_array().unwrap().len()
    };
    assert_eq!((of("pending").await, of("failed").await), (lines.len(), 0));
    let shown = world.request("GET", &path, Value::Null).await.body.to_string();
    assert!(!shown.contains(made.header("heroku-webhook-secret")), "{shown}");
    let gone =
        world.request("DELETE", &format!("{path}/{}", made.body["id"].as_str().unwrap()), Value::Null).await;
    assert_eq!(gone.status, StatusCode::OK);
    assert_eq!(world.request("GET", &list, Value::Null).await.body, json!([]));
}

#[tokio::test]
async fn only_who_may_change_an_app_has_webhooks_about_it() {
    let world = World::new().await;
    let app = world.create_app().await;
    let path = format!("/apps/{app}/webhooks");
    for (body, words) in [
        (create(&["release"]), "is nothing that webhooks tell of"),
        (create(&[]), "Say what is to be told"),
        (json!({ "include": ["dyno"], "level": "often", "url": "https://x" }), "neither notify nor sync"),
        (json!({ "include": ["dyno"], "level": "sync", "url": "gopher://x" }), "URL is invalid"),
    ] {
        let answer = world.request("POST", &path, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(words), "{}", answer.body);
    }
    let made = world.request("POST", &path, create(&["dyno"])).await;
    let one = format!("{path}/{}", made.body["id"].as_str().unwrap());
    let (_, bob) = world.other_login().await;
    let bearer = format!("Bearer {bob}");
    for (method, path) in [("GET", &path), ("POST", &path), ("GET", &one), ("PATCH", &one), ("DELETE", &one)]
    {
        let headers = [("accept", ACCEPT), ("authorization", &bearer)];
        let answer = world.send(method, path, &headers, &create(&["dyno"]).to_string()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    let other = world.create_app().await;
    let foreign = one.replace(&app, &other);
    assert_eq!(world.request("GET", &foreign, Value::Null).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_partner_is_told_of_its_own_add_on_and_no_longer_than_it_lives() {
    let world = World::new().await;
    let manifest = json!({
        "id": "memo",
        "api": {
            "config_vars": ["MEMO_URL"], "password": "geheim-1234", "sso_salt": "salz-1234", "version": "3",
            "production": { "base_url": "https://memo.test/r", "sso_url": "https://memo.test/sso" },
        },
    });
    let made = world.request("POST", "/partners", json!({ "manifest": manifest.to_string() })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let app = world.create_app().await;
    let admin = ops::authorizations::authenticate(&world.ops, &world.token).await.unwrap();
    let order = async |plan: &str| {
        let create = ops::addons::Create { plan: plan.into(), ..Default::default() };
        ops::addons::create(&world.ops, &admin, &app, create).await.unwrap().addon
    };
    let own = order("memo").await;
    let login = support::basic("memo", "geheim-1234");
    let headers = [("accept", ACCEPT), ("authorization", login.as_str())];
    let at = |rest: &str| format!("/addons/{}/{rest}", own.id);
    let include = create(&["api:addon", "api:app"]).to_string();
    let hook = world.send("POST", &at("webhooks"), &headers, &include).await;
    assert_eq!(
        (hook.status, &hook.body["addon"]["name"]),
        (StatusCode::CREATED, &json!(own.name)),
        "{}",
        hook.body
    );
    let users = world.request("GET", &at("webhooks"), Value::Null).await;
    assert_eq!(users.status, StatusCode::FORBIDDEN, "it is not the user's");
    assert_eq!(world.request("GET", &format!("/apps/{app}/webhooks"), Value::Null).await.body, json!([]));

    order("heroku-redis").await;
    world.request("PATCH", &format!("/apps/{app}"), json!({ "maintenance": true })).await;
    look(&world, &app).await;
    let told = async || {
        let events = world.send("GET", &at("webhook-events"), &headers, "").await.body;
        let line = |event: &Value| format!("{} {}", event["payload"]["action"], event["payload"]["resource"]);
        events.as_array().unwrap().iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(told().await, [r#""update" "app""#], "nothing of the other add-on");
    let gone = world.request("DELETE", &format!("/apps/{app}/addons/{}", own.name), Value::Null).await;
    assert_eq!(gone.status, StatusCode::OK, "{}", gone.body);
    look(&world, &app).await;
    world.request("PATCH", &format!("/apps/{app}"), json!({ "maintenance": false })).await;
    look(&world, &app).await;
    let id = world.app_id(&app).await;
    let mut tx = world.ops.store().read().await.unwrap();
    let events = store::webhooks::list_events(&mut tx, id).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.entity.as_str()).collect();
    assert_eq!(kinds, ["api:app", "api:addon"], "its end, and nothing after it");
    for delivery in store::webhooks::list_deliveries(&mut tx, id).await.unwrap() {
        let attempt = domain::webhook::WebhookAttempt {
            id: domain::WebhookAttemptId::new(),
            code: Some(204),
            error: None,
            at: world.ops.now(),
        };
        ops::webhooks::attempted(&world.ops, delivery.id, attempt, None).await.unwrap();
    }
    drop(tx);
    ops::webhooks::forget(&world.ops, id).await.unwrap();
    let left = store::webhooks::of_app(&mut world.ops.store().read().await.unwrap(), id).await.unwrap();
    assert!(left.is_empty());
}
