//! Searching logs over the API, and its page.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use domain::LogLine;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::World;

/// An app whose log can be searched, with three lines in it; name, id of the add-on.
async fn papertrail(world: &World) -> (String, String) {
    let app = world.create_app().await;
    let made = world.request("POST", &format!("/apps/{app}/addons"), json!({ "plan": "papertrail" })).await;
    assert!(made.status.is_success(), "{made:?}");
    let addon = made.body["id"].as_str().unwrap().to_owned();
    ops::addons::provisioned(&world.ops, addon.parse().unwrap()).await.unwrap();
    let id = world.app_id(&app).await;
    let now = Timestamp::now();
    let line = |hours, process: &str, text: &str| {
        LogLine::app(now - SignedDuration::from_hours(hours), process, text.to_owned())
    };
    world.logs.append(id, line(72, "web.1", "payment failed long ago"));
    world.logs.append(id, line(3, "web.1", "payment failed <b>yesterday</b>"));
    world.logs.append(id, line(1, "worker.1", "Payment FAILED just now"));
    (app, addon)
}

async fn found(world: &World, app: &str, look: Value) -> Vec<String> {
    let made = world.request("POST", &format!("/apps/{app}/papertrail/sessions"), look).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    let path = World::path_of(made.body["logplex_url"].as_str().unwrap());
    let lines = world.send("GET", &path, &[], "").await;
    let lines = String::from_utf8(lines.bytes.to_vec()).unwrap();
    lines.lines().map(|line| line.split_once("]: ").unwrap().1.to_owned()).collect()
}

#[tokio::test]
async fn lines_are_found_as_far_back_as_the_plan_goes() {
    let world = World::new().await;
    let (app, _) = papertrail(&world).await;
    let vars = world.request("GET", &format!("/apps/{app}/config-vars"), json!(null)).await;
    assert_eq!(vars.body["PAPERTRAIL_API_TOKEN"].as_str().map(str::len), Some(20), "{:?}", vars.body);
    let found = async |look: Value| found(&world, &app, look).await;
    let (yesterday, now) = ("payment failed <b>yesterday</b>", "Payment FAILED just now");
    assert_eq!(found(json!({ "query": "\"payment failed\"" })).await, [yesterday, now]);
    assert_eq!(found(json!({ "query": "failed -yesterday" })).await, [now]);
    assert_eq!(found(json!({ "query": "program:app/worker payment" })).await, [now]);
    assert_eq!(found(json!({ "query": "failed", "lines": 1 })).await, [now]);
    let two = (Timestamp::now() - SignedDuration::from_hours(2)).to_string();
    assert_eq!(found(json!({ "query": "failed", "until": two })).await, [yesterday]);
    assert_eq!(found(json!({ "query": "failed", "since": two })).await, [now]);
    let ever = json!({ "query": "failed", "since": "2001-01-01T00:00:00Z" });
    assert_eq!(found(ever).await, [yesterday, now], "the plan goes two days back");
    let sessions = format!("/apps/{app}/papertrail/sessions");
    let bad = world.request("POST", &sessions, json!({ "query": "(a" })).await;
    assert_eq!((bad.status.as_u16(), &bad.body["id"]), (422, &json!("invalid_params")));
    assert!(bad.body["message"].as_str().unwrap().contains("can't be read at its end"), "{bad:?}");
    let other = world.create_app().await;
    let none = world.request("POST", &format!("/apps/{other}/papertrail/sessions"), json!({})).await;
    assert_eq!(none.status.as_u16(), 404);
    assert!(none.body["message"].as_str().unwrap().contains("heroku addons:create papertrail"), "{none:?}");
}

#[tokio::test]
async fn searches_are_kept() {
    let world = World::new().await;
    let (app, _) = papertrail(&world).await;
    let searches = format!("/apps/{app}/papertrail/searches");
    let alert = json!({ "every": "minute", "webhook": "https://hooks.example.com/secret" });
    let body = json!({ "name": "failures", "query": "failed", "alert": alert });
    let made = world.request("POST", &searches, body.clone()).await;
    assert_eq!((made.status.as_u16(), &made.body["alert"]["every"]), (201, &json!("minute")), "{made:?}");
    assert_eq!(world.request("POST", &searches, body).await.status.as_u16(), 409);
    for (body, words) in [
        (json!({ "name": "a", "query": "a OR" }), "can't be read"),
        (json!({ "name": "a" }), "missing"),
        (
            json!({ "name": "a", "query": "a", "alert": { "every": "year", "webhook": "https://a.b" } }),
            "every minute",
        ),
        (
            json!({ "name": "a", "query": "a", "alert": { "every": "hour" } }),
            "to one webhook or to one e-mail",
        ),
        (
            json!({ "name": "a", "query": "a", "alert": { "every": "hour", "webhook": "ftp://a.b" } }),
            "https://",
        ),
        (
            json!({ "name": "a", "query": "a", "alert": { "every": "hour", "email": "a@b.c" } }),
            "can't send e-mail",
        ),
        (
            json!({ "name": "a", "query": "", "alert": { "every": "hour", "webhook": "https://a.b" } }),
            "Give a query",
        ),
    ] {
        let refused = world.request("POST", &searches, body).await;
        let message = refused.body["message"].as_str().unwrap_or_default();
        assert!(refused.status == 422 && message.contains(words), "{refused:?}");
    }
    let changed = world.request("PATCH", &format!("{searches}/failures"), json!({ "no_alert": true })).await;
    assert_eq!((&changed.body["alert"], &changed.body["query"]), (&json!(null), &json!("failed")));
    let list = world.request("GET", &searches, json!(null)).await;
    assert_eq!(list.body[0]["name"], "failures");
    assert_eq!(
        world.request("DELETE", &format!("{searches}/failures"), json!({})).await.status.as_u16(),
        200
    );
    assert_eq!(world.request("GET", &searches, json!(null)).await.body, json!([]));
}

#[tokio::test]
async fn the_page_searches_and_keeps() {
    let world = World::new().await;
    let (app, addon) = papertrail(&world).await;
    let sso = world.request("GET", &format!("/apps/{app}/addons/PAPERTRAIL/sso"), json!(null)).await;
    let link = World::path_of(sso.body["action"].as_str().unwrap());
    let entered = world.send("GET", &link, &[], "").await;
    let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
    let path = format!("/addon-pages/{addon}");
    let get = async |query: &str| {
        let answer = world.send("GET", &format!("{path}{query}"), &[("cookie", &cookie)], "").await;
        String::from_utf8(answer.bytes.to_vec()).unwrap()
    };
    let page = get("?q=failed%20yesterday").await;
    assert!(page.contains("payment failed &lt;b&gt;yesterday&lt;/b&gt;"), "{page}");
    assert!(!page.contains("just now") && !page.contains("long ago"), "{page}");
    assert!(get("?q=(a").await.contains("can&#39;t be read") || get("?q=(a").await.contains("can't be read"));
    assert!(get("?q=never").await.contains("Nothing matches."));
    let word = page.split_once("name=\"form\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let send = async |body: String| {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie.as_str())];
        world.send("POST", &path, &headers, &body).await
    };
    let kept = send(format!("action=set&name=bad&query=failed&every=&form={word}")).await;
    assert_eq!(kept.status.as_u16(), 303, "{kept:?}");
    let refused = send(format!("action=set&name=b&query=x&every=hour&email=a%40b.c&form={word}")).await;
    let text = String::from_utf8_lossy(&refused.bytes).into_owned();
    assert!(
        refused.status == 422 && text.contains("value=\"a@b.c\"") && text.contains("send e-mail"),
        "{text}"
    );
    let list = world.request("GET", &format!("/apps/{app}/papertrail/searches"), json!(null)).await;
    let id = list.body[0]["id"].as_str().unwrap();
    assert!(get(&format!("?search={id}")).await.contains("Payment FAILED just now"));
    assert_eq!(send(format!("action=remove&search={id}&form={word}")).await.status.as_u16(), 303);
    assert!(!get("").await.contains("<caption>Searches</caption>"));
}
