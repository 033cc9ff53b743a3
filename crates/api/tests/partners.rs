//! Services that partners run, over HTTP: registered, let in to their own add-ons, and shown to users.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use addons::partner::Given;
use http::StatusCode;
use ops::Actor;
use ops::addons::AddonInfo;
use serde_json::{Value, json};
use support::{ACCEPT, Answer, World, basic};

fn manifest() -> String {
    serde_json::to_string_pretty(&json!({
        "id": "memo", "name": "Memo",
        "api": {
            "config_vars": ["MEMO_URL", "MEMO_TOKEN"], "password": "geheim-1234", "sso_salt": "salz-1234",
            "requires": ["attachable", "syslog_drain"], "version": "3",
            "production": { "base_url": "https://memo.test/r", "sso_url": "https://memo.test/sso" },
        },
    }))
    .unwrap()
}

async fn registered(world: &World) -> String {
    let answer = world.request("POST", "/partners", json!({ "manifest": manifest() })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.body["client_secret"].as_str().unwrap().to_owned()
}

async fn admin(world: &World) -> Actor {
    ops::authorizations::authenticate(&world.ops, &world.token).await.unwrap()
}

/// An add-on that was asked for and not answered yet.
async fn order(world: &World, app: &str) -> AddonInfo {
    let create = ops::addons::Create { plan: "memo".into(), ..Default::default() };
    ops::addons::create(&world.ops, &admin(world).await, app, create).await.unwrap()
}

/// What a partner answers at once.
async fn made(world: &World, addon: &AddonInfo, id: &str, later: bool) {
    let config = [("URL".to_owned(), "memo://1".to_owned())].into();
    let given = Given {
        id: Some(id.into()),
        config: Some(config),
        message: Some("Welcome.".into()),
        log_drain_url: Some("https://memo.test/logs".into()),
        later,
    };
    ops::partners::ordered(&world.ops, addon.addon.id, given).await.unwrap().unwrap();
}

async fn as_partner(world: &World, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let bearer = format!("Bearer {token}");
    world.send(method, path, &[("accept", ACCEPT), ("authorization", &bearer)], &text).await
}

async fn form(world: &World, body: &str) -> Answer {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    world.send("POST", "/oauth/token", &[kind], body).await
}

async fn token(world: &World, addon: &AddonInfo, secret: &str) -> Answer {
    let code = ops::partners::grant(&world.ops, addon.addon.id).await.unwrap().code;
    form(world, &format!("grant_type=authorization_code&code={code}&client_secret={secret}")).await
}

#[tokio::test]
async fn a_service_is_registered_listed_and_taken_out() {
    let world = World::new().await;
    let secret = registered(&world).await;
    let again = world
        .request(
            "POST",
            "/partners",
            json!({ "manifest": manifest(), "plans": [{ "name": "big", "cents": 900 }] }),
        )
        .await;
    assert_eq!((again.status, again.body["client_secret"].as_str()), (StatusCode::OK, Some(secret.as_str())));
    let list = world.request("GET", "/partners", Value::Null).await;
    assert_eq!(list.body[0]["base_url"], "https://memo.test/r");
    for secret in ["geheim-1234", "salz-1234", &secret] {
        assert!(!list.body.to_string().contains(secret));
    }
    let service = world.request("GET", "/addon-services/memo", Value::Null).await;
    assert_eq!((service.status, &service.body["human_name"]), (StatusCode::OK, &json!("Memo")));
    let plans = world.request("GET", "/addon-services/memo/plans", Value::Null).await;
    assert_eq!((&plans.body[0]["name"], &plans.body[0]["price"]["cents"]), (&json!("memo:big"), &json!(900)));

    let (_, bob) = world.other_login().await;
    for (method, path) in [("GET", "/partners"), ("POST", "/partners"), ("DELETE", "/partners/memo")] {
        let answer = as_partner(&world, &bob, method, path, json!({ "manifest": manifest() })).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    let wrong = manifest().replace("\"MEMO_TOKEN\"", "\"NOTE_TOKEN\"");
    let answer = world.request("POST", "/partners", json!({ "manifest": wrong })).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let message = answer.body["message"].as_str().unwrap();
    assert!(message.contains("\"NOTE_TOKEN\" does not begin with the prefix \"MEMO_\" at line"), "{message}");
    let own = manifest().replace("\"memo\"", "\"heroku-redis\"").replace("MEMO_", "HEROKU_REDIS_");
    let answer = world.request("POST", "/partners", json!({ "manifest": own })).await;
    assert!(answer.body["message"].as_str().unwrap().contains("which this installation runs itself"));

    let gone = world.request("DELETE", "/partners/memo", Value::Null).await;
    assert_eq!(gone.status, StatusCode::OK, "{}", gone.body);
    let service = world.request("GET", "/addon-services/memo", Value::Null).await;
    assert_eq!(service.status, StatusCode::NOT_FOUND);
    let own = world.request("DELETE", "/partners/heroku-redis", Value::Null).await;
    assert_eq!(own.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn grants_are_traded_once_and_tokens_renewed() {
    let world = World::new().await;
    let secret = registered(&world).await;
    let addon = order(&world, &world.create_app().await).await;
    let code = ops::partners::grant(&world.ops, addon.addon.id).await.unwrap().code;
    for (body, status) in [
        (format!("grant_type=authorization_code&code={code}&client_secret=wrong"), StatusCode::UNAUTHORIZED),
        (
            format!("grant_type=authorization_code&code=wrong&client_secret={secret}"),
            StatusCode::UNAUTHORIZED,
        ),
        (
            format!("grant_type=refresh_token&refresh_token={code}&client_secret={secret}"),
            StatusCode::UNAUTHORIZED,
        ),
        (format!("grant_type=password&code={code}&client_secret={secret}"), StatusCode::BAD_REQUEST),
        (format!("grant_type=authorization_code&client_secret={secret}"), StatusCode::BAD_REQUEST),
        ("nonsense".into(), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(form(&world, &body).await.status, status, "{body}");
    }
    let good = format!("grant_type=authorization_code&code={code}&client_secret={secret}");
    let first = form(&world, &good).await;
    assert_eq!(
        (first.status, &first.body["token_type"]),
        (StatusCode::OK, &json!("Bearer")),
        "{}",
        first.body
    );
    assert_eq!(first.body["expires_in"], 28_800);
    assert_eq!(form(&world, &good).await.status, StatusCode::UNAUTHORIZED, "a grant is good once");
    let refresh = json!({
        "grant_type": "refresh_token", "refresh_token": first.body["refresh_token"], "client_secret": secret,
    });
    let second = world
        .send("POST", "/oauth/token", &[("content-type", "application/json")], &refresh.to_string())
        .await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.body);
    for answer in [&first, &second] {
        let token = answer.body["access_token"].as_str().unwrap();
        let path = format!("/addons/{}", addon.addon.id);
        assert_eq!(as_partner(&world, token, "GET", &path, Value::Null).await.status, StatusCode::OK);
        let refresh = answer.body["refresh_token"].as_str().unwrap();
        let refused = as_partner(&world, refresh, "GET", &path, Value::Null).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "a refresh token lets nobody in");
    }
}

#[tokio::test]
async fn a_partner_reaches_its_add_on_and_nothing_else() {
    let world = World::new().await;
    let secret = registered(&world).await;
    let (app, other) = (world.create_app().await, world.create_app().await);
    let (addon, foreign) = (order(&world, &app).await, order(&world, &other).await);
    made(&world, &addon, "r-1", false).await;
    let token = token(&world, &addon, &secret).await.body["access_token"].as_str().unwrap().to_owned();
    let ask =
        async |method: &str, path: &str, body: Value| as_partner(&world, &token, method, path, body).await;
    let (own, strange) = (addon.addon.id.to_string(), foreign.addon.id.to_string());

    for identity in [own.as_str(), addon.addon.name.as_str(), "r-1"] {
        let info = ask("GET", &format!("/addons/{identity}"), Value::Null).await;
        assert_eq!((info.status, &info.body["provider_id"]), (StatusCode::OK, &json!("r-1")), "{identity}");
        assert_eq!(info.body["web_url"], Value::Null, "a dashboard is for users");
    }
    let info = ask("GET", &format!("/apps/{app}"), Value::Null).await;
    assert_eq!((info.status, &info.body["name"]), (StatusCode::OK, &json!(app)));
    let attached = ask("GET", &format!("/addons/{own}/addon-attachments"), Value::Null).await;
    assert_eq!(attached.body[0]["name"], "MEMO");
    for (method, path) in [
        ("GET", format!("/addons/{strange}")),
        ("GET", format!("/addons/{strange}/config")),
        ("PATCH", format!("/addons/{strange}/config")),
        ("POST", format!("/addons/{strange}/actions/provision")),
        ("POST", format!("/addons/{strange}/actions/deprovision")),
        ("GET", format!("/addons/{strange}/addon-attachments")),
        ("GET", format!("/apps/{other}")),
    ] {
        assert_eq!(ask(method, &path, Value::Null).await.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    for (method, path) in [
        ("GET", "/account".to_owned()),
        ("GET", "/apps".into()),
        ("GET", format!("/apps/{app}/config-vars")),
        ("PATCH", format!("/apps/{app}/config-vars")),
        ("GET", format!("/apps/{app}/addons")),
        ("DELETE", format!("/apps/{app}/addons/{own}")),
        ("GET", format!("/addons/{own}/sso")),
        ("POST", format!("/apps/{app}/dynos")),
        ("GET", "/partners".into()),
    ] {
        assert_eq!(ask(method, &path, Value::Null).await.status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }

    let set = |name: &str, value: Value| json!({ "config": [{ "name": name, "value": value }] });
    let path = format!("/addons/{own}/config");
    let changed = ask("PATCH", &path, set("MEMO_TOKEN", json!("t-1"))).await;
    assert_eq!(
        changed.body,
        json!([{ "name": "MEMO_TOKEN", "value": "t-1" }, { "name": "MEMO_URL", "value": "memo://1" }])
    );
    let vars = world.request("GET", &format!("/apps/{app}/config-vars"), Value::Null).await;
    assert_eq!((&vars.body["MEMO_TOKEN"], &vars.body["MEMO_URL"]), (&json!("t-1"), &json!("memo://1")));
    let releases = world.request("GET", &format!("/apps/{app}/releases"), Value::Null).await;
    let last = releases.body.as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["description"], "Update MEMO by memo");
    let refused = ask("PATCH", &path, set("PATH", json!("/evil"))).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    let twice =
        json!({ "config": [{ "name": "MEMO_URL", "value": "a" }, { "name": "MEMO_URL", "value": "b" }] });
    assert_eq!(ask("PATCH", &path, twice).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    ask("PATCH", &path, set("MEMO_TOKEN", Value::Null)).await;
    let vars = world.request("GET", &format!("/apps/{app}/config-vars"), Value::Null).await;
    assert_eq!(vars.body["MEMO_TOKEN"], Value::Null);
    let mine = world.request("GET", &path, Value::Null).await;
    assert_eq!(mine.body, json!([{ "name": "MEMO_URL", "value": "memo://1" }]), "users may read it");
    let not_mine = world.request("PATCH", &path, set("MEMO_URL", json!("x"))).await;
    assert_eq!(not_mine.status, StatusCode::FORBIDDEN, "users may not write it");

    // The service's own password is good for all of its add-ons, and not for others'.
    for (user, password, status) in [
        ("memo", "geheim-1234", StatusCode::OK),
        ("memo", "geheim-12345", StatusCode::UNAUTHORIZED),
        ("mem", "geheim-1234", StatusCode::UNAUTHORIZED),
    ] {
        let headers = [("accept", ACCEPT), ("authorization", &basic(user, password))];
        let answer = world.send("GET", &format!("/addons/{strange}"), &headers, "").await;
        assert_eq!(answer.status, status, "{user}:{password}");
    }
}

#[tokio::test]
async fn one_that_needs_time_is_there_when_its_partner_says_so_or_never() {
    let world = World::new().await;
    let secret = registered(&world).await;
    let (app, other) = (world.create_app().await, world.create_app().await);
    let addon = order(&world, &app).await;
    let access = token(&world, &addon, &secret).await.body["access_token"].as_str().unwrap().to_owned();
    let path = |what: &str| format!("/addons/{}/actions/{what}", addon.addon.id);
    made(&world, &addon, "r-1", true).await;
    let vars = async || world.request("GET", &format!("/apps/{app}/config-vars"), Value::Null).await.body;
    assert_eq!(vars().await, json!({}));
    let there = as_partner(&world, &access, "POST", &path("provision"), Value::Null).await;
    assert_eq!((there.status, &there.body["state"]), (StatusCode::OK, &json!("provisioned")));
    assert_eq!(there.body["provision_message"], "Welcome.");
    assert_eq!(vars().await["MEMO_URL"], "memo://1");
    let again = as_partner(&world, &access, "POST", &path("provision"), Value::Null).await;
    assert_eq!(again.status, StatusCode::OK, "said twice");
    let late = as_partner(&world, &access, "POST", &path("deprovision"), Value::Null).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", late.body);

    let third = order(&world, &world.create_app().await).await;
    let access = token(&world, &third, &secret).await.body["access_token"].as_str().unwrap().to_owned();
    let early = format!("/addons/{}/actions/provision", third.addon.id);
    let early = as_partner(&world, &access, "POST", &early, Value::Null).await;
    assert_eq!(
        (early.status, &early.body["state"]),
        (StatusCode::OK, &json!("provisioned")),
        "{}",
        early.body
    );
    made(&world, &third, "r-3", true).await;
    let info = world.request("GET", &format!("/addons/{}", third.addon.id), Value::Null).await;
    assert_eq!((&info.body["provider_id"], &info.body["state"]), (&json!("r-3"), &json!("provisioned")));
    let given = world.request("GET", &format!("/addons/{}/config", third.addon.id), Value::Null).await;
    assert_eq!(
        given.body,
        json!([{ "name": "MEMO_URL", "value": "memo://1" }]),
        "of the answer that came later"
    );

    let second = order(&world, &other).await;
    made(&world, &second, "r-2", true).await;
    let access = token(&world, &second, &secret).await.body["access_token"].as_str().unwrap().to_owned();
    let path = format!("/addons/{}/actions/deprovision", second.addon.id);
    let never = as_partner(&world, &access, "POST", &path, Value::Null).await;
    assert_eq!(
        (never.status, &never.body["state"]),
        (StatusCode::OK, &json!("deprovisioned")),
        "{}",
        never.body
    );
    let after = as_partner(&world, &access, "POST", &path, Value::Null).await;
    assert_eq!(after.status, StatusCode::UNAUTHORIZED, "its token went with it");
}

#[tokio::test]
async fn the_log_goes_to_the_partner_and_no_longer_than_the_add_on_lives() {
    let world = World::new().await;
    let secret = registered(&world).await;
    let app = world.create_app().await;
    let addon = order(&world, &app).await;
    made(&world, &addon, "r-1", false).await;
    let drains = async || world.request("GET", &format!("/apps/{app}/log-drains"), Value::Null).await.body;
    let drain = drains().await;
    assert_eq!(
        (&drain[0]["url"], &drain[0]["addon"]["id"]),
        (&json!("https://memo.test/logs"), &json!(addon.addon.id.to_string()))
    );
    let path = format!("/apps/{app}/log-drains/{}", drain[0]["id"].as_str().unwrap());
    let refused = world.request("DELETE", &path, Value::Null).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    let own = world.request("GET", &format!("/addons/{}/log-drains", addon.addon.name), Value::Null).await;
    assert_eq!((own.status, &own.body), (StatusCode::OK, &drain));

    let access = token(&world, &addon, &secret).await.body["access_token"].as_str().unwrap().to_owned();
    let list = as_partner(&world, &access, "GET", "/addons/r-1/log-drains", Value::Null).await;
    assert_eq!((list.status, &list.body), (StatusCode::OK, &drain));
    let put = async |token: &str, identity: &str, url: &str| {
        let path = format!("/addons/r-1/log-drains/{identity}");
        as_partner(&world, token, "PUT", &path, json!({ "url": url })).await
    };
    let (id, drain_token) = (drain[0]["id"].as_str().unwrap(), drain[0]["token"].as_str().unwrap());
    for (identity, url) in [(id, "https://memo.test/2"), (drain_token, "syslog+tls://memo.test:6514")] {
        let moved = put(&access, identity, url).await;
        assert_eq!((moved.status, &moved.body["url"]), (StatusCode::OK, &json!(url)), "{}", moved.body);
        assert_eq!((&moved.body["id"], &moved.body["token"]), (&drain[0]["id"], &drain[0]["token"]));
        assert_eq!(drains().await[0]["url"], url);
    }
    for (token, identity, url, status) in [
        (&access, id, "gopher://x", StatusCode::UNPROCESSABLE_ENTITY),
        (&access, "d.1", "https://memo.test/3", StatusCode::NOT_FOUND),
        (&world.token, id, "https://memo.test/3", StatusCode::FORBIDDEN),
    ] {
        let refused = put(token, identity, url).await;
        assert_eq!(refused.status, status, "{identity} {url} {}", refused.body);
    }
    let gone =
        world.request("DELETE", &format!("/apps/{app}/addons/{}", addon.addon.name), Value::Null).await;
    assert_eq!(gone.status, StatusCode::OK, "{}", gone.body);
    assert_eq!(drains().await, json!([]));
}

#[tokio::test]
async fn a_partner_that_makes_its_add_on_later_names_its_drain_by_the_token_of_the_order() {
    let world = World::new().await;
    let secret = registered(&world).await;
    let app = world.create_app().await;
    let addon = order(&world, &app).await;
    let access = token(&world, &addon, &secret).await.body["access_token"].as_str().unwrap().to_owned();
    let drain_token = {
        let mut tx = world.ops.store().read().await.unwrap();
        store::resources::by_addon(&mut tx, addon.addon.id).await.unwrap().unwrap().drain_token
    };
    let path = format!("/addons/{}/log-drains/{drain_token}", addon.addon.id);
    let body = json!({ "url": "https://memo.test/logs" });
    for _ in 0..2 {
        let put = as_partner(&world, &access, "PUT", &path, body.clone()).await;
        assert_eq!((put.status, &put.body["token"]), (StatusCode::OK, &json!(drain_token)), "{}", put.body);
    }
    let drains = world.request("GET", &format!("/apps/{app}/log-drains"), Value::Null).await.body;
    assert_eq!(drains.as_array().map(Vec::len), Some(1), "{drains}");
}

#[tokio::test]
async fn users_get_into_the_dashboard_by_a_form_or_by_an_address_that_expires() {
    let world = World::new().await;
    registered(&world).await;
    let app = world.create_app().await;
    let addon = order(&world, &app).await;
    let path = format!("/addons/{}/sso", addon.addon.name);
    assert_eq!(world.request("GET", &path, Value::Null).await.status, StatusCode::CONFLICT);
    made(&world, &addon, "r<1>", false).await;
    let sso = world.request("GET", &path, Value::Null).await;
    assert_eq!((&sso.body["method"], &sso.body["action"]), (&json!("post"), &json!("https://memo.test/sso")));
    let params = &sso.body["params"];
    let id = addon.addon.id.to_string();
    assert_eq!(
        (&params["resource_id"], &params["id"], &params["app"]),
        (&json!(id), &json!("r<1>"), &json!(app))
    );
    assert_eq!(params["email"], support::EMAIL);
    let time = params["timestamp"].as_i64().unwrap();
    assert_eq!(params["resource_token"], addons::partner::sso_token(&id, "salz-1234", time));
    assert_eq!(params["token"], addons::partner::sso_token("r<1>", "salz-1234", time));
    let by_app = world.request("GET", &format!("/apps/{app}/addons/MEMO/sso"), Value::Null).await;
    assert_eq!(by_app.body["params"]["context_app"], json!(app));

    let resolve = json!({ "addon_attachment": "MEMO", "app": app });
    let found = world.request("POST", "/actions/addon-attachments/resolve", resolve).await;
    let url = found.body[0]["web_url"].as_str().unwrap().to_owned();
    let info = world.request("GET", &format!("/addons/{}", addon.addon.name), Value::Null).await;
    assert!(info.body["web_url"].as_str().unwrap().starts_with("http://localhost:5000/sso/"));
    let page = world.send("GET", &World::path_of(&url), &[], "").await;
    let html = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert_eq!(page.status, StatusCode::OK, "{html}");
    assert!(
        html.contains("action=\"https://memo.test/sso\"") && html.contains("value=\"r&lt;1&gt;\""),
        "{html}"
    );
    assert!(page.header("content-security-policy").contains("script-src 'sha256-"));
    assert_eq!(page.header("cache-control"), "no-store");
    let forged = World::path_of(&url).replace(&addon.addon.id.to_string(), &uuid::Uuid::new_v4().to_string());
    assert_eq!(world.send("GET", &forged, &[], "").await.status, StatusCode::NOT_FOUND);

    let redis = ops::addons::Create { plan: "heroku-redis".into(), ..Default::default() };
    let redis = ops::addons::create(&world.ops, &admin(&world).await, &app, redis).await.unwrap();
    let path = format!("/addons/{}/sso", redis.addon.name);
    assert_eq!(world.request("GET", &path, Value::Null).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (_, bob) = world.other_login().await;
    let path = format!("/addons/{}/sso", addon.addon.name);
    assert_eq!(as_partner(&world, &bob, "GET", &path, Value::Null).await.status, StatusCode::NOT_FOUND);
}
