//! The data API over HTTP: databases, their settings and credentials, with servers that are made up.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use support::{Answer, World};

/// A world in which an app has a database of this plan, that is there unless said otherwise.
async fn world(plan: &str, there: bool) -> (World, String) {
    let world = World::new().await;
    let app = world.create_app().await;
    let order = json!({ "plan": format!("heroku-postgresql:{plan}"), "name": "acme-db" });
    // The answer waits for what nobody provisions here.
    let path = format!("/apps/{app}/addons");
    let (made, ()) = tokio::join!(world.request("POST", &path, order), async {
        if there {
            provision(&world, "acme-db").await;
        }
    });
    assert_eq!(made.status, 201, "{}", made.body);
    (world, app)
}

async fn provision(world: &World, name: &str) {
    let mut changes = world.ops.store().changes_of(store::Table::Addons);
    loop {
        changes.mark_unchanged();
        let mut tx = world.ops.store().read().await.unwrap();
        if let Some(addon) = store::addons::by_name(&mut tx, name).await.unwrap() {
            drop(tx);
            return ops::addons::provisioned(&world.ops, addon.id).await.unwrap();
        }
        drop(tx);
        changes.changed().await.unwrap();
    }
}

async fn get(world: &World, path: &str) -> Answer {
    world.request("GET", path, Value::Null).await
}

fn row<'a>(info: &'a Value, name: &str) -> &'a str {
    let rows = info["info"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}: {info}"));
    row["values"][0].as_str().unwrap()
}

#[tokio::test]
async fn a_database_is_shown() {
    let (world, _) = world("essential-0", true).await;
    let info = get(&world, "/client/v11/databases/acme-db").await.body;
    assert_eq!(row(&info, "Plan"), "Essential 0");
    assert_eq!(row(&info, "Status"), "Available");
    assert_eq!(row(&info, "Connections"), "2/20");
    assert_eq!(row(&info, "PG Version"), "17.5");
    assert_eq!(row(&info, "Data Size"), "7.4 MB / 1 GB (0.72%)");
    assert!(info["resource_url"].as_str().unwrap().starts_with("postgres://u"), "{info}");
    let status = get(&world, "/client/v11/databases/acme-db/wait_status").await.body;
    assert_eq!((&status["waiting?"], &status["message"]), (&json!(false), &json!("available")));

    world.memory.silent.store(true, Ordering::Relaxed);
    let info = get(&world, "/client/v11/databases/acme-db").await.body;
    assert_eq!(row(&info, "Status"), "Unavailable");
    let status = get(&world, "/client/v11/databases/acme-db/wait_status").await.body;
    assert_eq!(status["waiting?"], true);
    let refused = world.request("PUT", "/client/v11/databases/acme-db/reset", json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["id"]), (503, &json!("service_unavailable")));
}

#[tokio::test]
async fn one_that_is_not_there_is_waited_for() {
    let (world, _) = world("standard-0", false).await;
    let status = get(&world, "/client/v11/databases/acme-db/wait_status").await.body;
    assert_eq!(status["waiting?"], true, "{status}");
    for path in ["/client/v11/databases/acme-db", "/postgres/v0/databases/acme-db/credentials"] {
        let answer = get(&world, path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
    assert_eq!(get(&world, "/client/v11/databases/nobody-s").await.status, 404);
}

#[tokio::test]
async fn what_is_asked_for_is_done() {
    let (world, _) = world("standard-0", true).await;
    let base = "/client/v11/databases/acme-db";
    for (method, path, body, said) in [
        ("PUT", "reset", json!({ "extensions": ["citext"] }), "Reset successful."),
        ("POST", "connection_reset", Value::Null, "Connections terminated."),
        ("PUT", "stats_reset", Value::Null, "Statistics have been reset."),
    ] {
        let answer = world.request(method, &format!("{base}/{path}"), body).await;
        assert_eq!((answer.status.as_u16(), &answer.body["message"]), (200, &json!(said)), "{path}");
    }
    let done = world.memory.done.lock().unwrap().clone();
    assert_eq!(done, ["reset [\"citext\"] d", "end connections of d", "reset statistics of d"]);
    let refused = world.request("PUT", &format!("{base}/reset"), json!({ "extensions": ["plperlu"] })).await;
    assert_eq!((refused.status.as_u16(), &refused.body["id"]), (422, &json!("invalid_params")));
    let refused = world.request("PUT", &format!("{base}/unfollow"), Value::Null).await;
    assert!(refused.body["message"].as_str().unwrap().contains("is not a follower"), "{}", refused.body);
}

#[tokio::test]
async fn a_past_and_a_follower_are_shown() {
    let (world, app) = world("standard-0", true).await;
    let base = "/client/v11/databases/acme-db";
    let info = get(&world, base).await.body;
    assert_eq!((row(&info, "Rollback"), row(&info, "Continuous Protection")), ("Unavailable", "Preparing"));
    let mut tx = world.ops.store().read().await.unwrap();
    let leader = store::addons::by_name(&mut tx, "acme-db").await.unwrap().unwrap().id;
    drop(tx);
    let now = world.ops.now();
    let taken = ops::addons::archives::Taken { taken_at: now, earliest: now, bytes: 5 };
    ops::addons::archives::taken(&world.ops, leader, taken).await.unwrap();
    let info = get(&world, base).await.body;
    assert_eq!(row(&info, "Rollback"), now.strftime("earliest from %Y-%m-%d %H:%M UTC").to_string());
    assert_eq!((row(&info, "Fork/Follow"), row(&info, "Continuous Protection")), ("Available", "On"));
    ops::addons::archives::failing(&world.ops, leader, Some("it is full")).await.unwrap();
    assert_eq!(row(&get(&world, base).await.body, "Continuous Protection"), "Failing: it is full");

    // The CLI gives `true` to options without a value.
    let path = format!("/apps/{app}/addons");
    let order = |config: Value| json!({ "plan": "heroku-postgresql:standard-0", "name": "acme-twin", "config": config });
    let refused = world.request("POST", &path, order(json!({ "fork": "DATABASE", "rollback": true }))).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    let order = order(json!({ "follow": "DATABASE_URL" }));
    let (made, ()) = tokio::join!(world.request("POST", &path, order), provision(&world, "acme-twin"));
    assert_eq!(made.status, 201, "{}", made.body);
    let twin = "/client/v11/databases/acme-twin";
    let info = get(&world, twin).await.body;
    let address = info["following"].as_str().unwrap();
    assert!(address.starts_with("postgres://10.") && !address.contains('@'), "{info}");
    assert_eq!((row(&info, "Following"), row(&info, "Behind By")), (address, "0 commits"));
    assert_eq!((&info["leader"], row(&info, "Fork/Follow")), (&json!("acme-db"), "Unavailable on followers"));
    let followers = get(&world, base).await.body;
    let followers =
        followers["info"].as_array().unwrap().iter().find(|row| row["name"] == "Followers").unwrap();
    assert_eq!(
        (&followers["resolve_db_name"], followers["values"].as_array().unwrap().len()),
        (&json!(true), 1)
    );
    for (method, path) in [("PUT", "reset"), ("PUT", "unfollow")] {
        let whose = if path == "reset" { twin } else { base };
        let refused = world.request(method, &format!("{whose}/{path}"), json!({})).await;
        assert_eq!(refused.status, 422, "{path}: {}", refused.body);
    }
    // What the loop does as soon as it sees the errand.
    let promote = async {
        let mut changes = world.ops.store().changes_of(store::Table::Addons);
        loop {
            changes.mark_unchanged();
            let mut tx = world.ops.store().read().await.unwrap();
            let pending = store::errands::pending(&mut tx).await.unwrap();
            drop(tx);
            if let Some(errand) = pending.first() {
                return ops::addons::errand_done(&world.ops, errand.id).await.unwrap();
            }
            changes.changed().await.unwrap();
        }
    };
    let path = format!("{twin}/unfollow");
    let (done, ()) = tokio::join!(world.request("PUT", &path, Value::Null), promote);
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(get(&world, twin).await.body["following"], Value::Null);
}

#[tokio::test]
async fn there_is_no_newer_version() {
    let (world, _) = world("standard-0", true).await;
    let base = "/client/v11/databases/acme-db/upgrade";
    for (step, why) in
        [("run", "the latest supported"), ("prepare", "the latest supported"), ("cancel", "no scheduled")]
    {
        let refused = world.request("POST", &format!("{base}/{step}"), json!({})).await;
        assert_eq!(refused.status, 422, "{step}: {}", refused.body);
        assert!(refused.body["message"].as_str().unwrap().contains(why), "{}", refused.body);
    }
    let status = get(&world, &format!("{base}/wait_status")).await.body;
    assert_eq!(status["waiting?"], false);
}

#[tokio::test]
async fn settings_are_changed_on_a_server_of_one_s_own() {
    let (world, _) = world("standard-0", true).await;
    let path = "/postgres/v0/databases/acme-db/config";
    assert_eq!(get(&world, path).await.body["log_min_duration_statement"]["value"], 2000);
    let changes = json!({ "log_min_duration_statement": 500, "auto_explain": true });
    let answer = world.request("PATCH", path, changes).await;
    assert_eq!(answer.body["log_min_duration_statement"]["value"], 500, "{}", answer.body);
    assert_eq!(answer.body["auto_explain"]["value"], true);
    let refused = world.request("PATCH", path, json!({ "log_statement": "most" })).await;
    assert_eq!(refused.status, 422);
}

#[tokio::test]
async fn plans_that_share_a_server_are_told_what_they_do_not_have() {
    let (world, _) = world("essential-0", true).await;
    for (method, path, body) in [
        ("GET", "/postgres/v0/databases/acme-db/config", Value::Null),
        ("POST", "/postgres/v0/databases/acme-db/credentials", json!({ "name": "reports" })),
        ("POST", "/postgres/v0/databases/acme-db/repair-default", Value::Null),
        ("PUT", "/client/v11/databases/acme-db/stats_reset", Value::Null),
    ] {
        let answer = world.request(method, path, body).await;
        assert_eq!(answer.status, 422, "{path}: {}", answer.body);
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains("Essential 0") && message.contains("standard"), "{message}");
    }
}

#[tokio::test]
async fn credentials_come_and_go() {
    let (world, app) = world("standard-0", true).await;
    let base = "/postgres/v0/databases/acme-db/credentials";
    let url = async || {
        let vars = get(&world, &format!("/apps/{app}/config-vars")).await.body;
        vars["DATABASE_URL"].as_str().unwrap().to_owned()
    };
    // What a loop does as soon as it sees what is pending.
    let service = async || {
        let mut changes = world.ops.store().changes_of(store::Table::Addons);
        loop {
            changes.mark_unchanged();
            let mut tx = world.ops.store().read().await.unwrap();
            let pending = store::credentials::pending(&mut tx).await.unwrap();
            drop(tx);
            if let Some(one) = pending.first() {
                return ops::credentials::done(&world.ops, one).await.unwrap();
            }
            changes.changed().await.unwrap();
        }
    };
    let (made, ()) = tokio::join!(world.request("POST", base, json!({ "name": "reports" })), service());
    assert_eq!(made.status, 200, "{}", made.body);
    let one = get(&world, &format!("{base}/reports")).await.body;
    assert_eq!((&one["state"], &one["credentials"][0]["user"]), (&json!("active"), &json!("reports")));
    let again = world.request("POST", base, json!({ "name": "reports" })).await;
    assert_eq!(again.status, 422, "{}", again.body);
    let bad = world.request("POST", base, json!({ "name": "pg_monitor" })).await;
    assert_eq!(bad.status, 422, "{}", bad.body);

    let attach =
        json!({ "addon": "acme-db", "app": app, "name": "READER", "namespace": "credential:reports" });
    let attached = world.request("POST", "/addon-attachments", attach).await;
    assert_eq!(attached.status, 201, "{}", attached.body);
    let config = get(&world, "/addons/acme-db/config/credential:reports").await.body;
    assert_eq!(config[0]["name"], "URL", "{config}");
    let refused = world.request("DELETE", &format!("{base}/reports"), Value::Null).await;
    assert!(refused.body["message"].as_str().unwrap().contains("Detach it first"), "{}", refused.body);

    let before = url().await;
    let rotation = format!("{base}/default/credentials_rotation");
    let (rotated, ()) = tokio::join!(world.request("POST", &rotation, json!({})), service());
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let after = url().await;
    assert_ne!(before, after);
    let user = |url: &str| url.split(':').nth(1).unwrap().to_owned();
    assert_eq!(user(&before), user(&after), "the user stays");
    let releases = get(&world, &format!("/apps/{app}/releases")).await.body;
    let last = releases.as_array().unwrap().last().unwrap();
    assert_eq!(last["description"], "Update DATABASE by heroku-postgresql");

    let attachment = attached.body["id"].as_str().unwrap();
    world.request("DELETE", &format!("/addon-attachments/{attachment}"), Value::Null).await;
    let reports = format!("{base}/reports");
    let (gone, ()) = tokio::join!(world.request("DELETE", &reports, Value::Null), service());
    assert_eq!(gone.status, 200, "{}", gone.body);
    let left = get(&world, base).await.body;
    assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
}

#[tokio::test]
async fn a_report_is_made_and_kept_for_who_may_see_the_database() {
    let (world, app) = world("essential-0", true).await;
    let url = get(&world, &format!("/apps/{app}/config-vars")).await.body["DATABASE_URL"].clone();
    let asked = json!({ "app": app, "database": "DATABASE_URL", "plan": "essential-0", "url": url });
    let made = world.request("POST", "/reports", asked.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let done = world.memory.done.lock().unwrap().clone();
    assert_eq!(done, ["look for what is wrong with 20 connections of Many to d"]);
    assert_eq!((&made.body["app"], &made.body["database"]), (&json!(app), &json!("DATABASE_URL")));
    // As the official CLI reads them: a table in the order of its columns, a reason as an object.
    assert_eq!(
        made.body["checks"],
        json!([
            { "name": "Long Queries", "status": "red", "results": [
                { "pid": "7", "duration": "2s" }, { "pid": "8", "duration": "2s" },
            ] },
            { "name": "Bloat", "status": "green", "results": [] },
            { "name": "Load", "status": "skipped", "results": { "error": "Load check not supported on this plan" } },
        ])
    );
    let path = format!("/reports/{}", made.body["id"].as_str().unwrap());
    assert_eq!(get(&world, &path).await.body, made.body);

    for other in [json!("postgres://u:p@db.example.com:5432/d"), json!("")] {
        let mut asked = asked.clone();
        asked["url"] = other;
        let refused = world.request("POST", "/reports", asked).await;
        assert_eq!((refused.status.as_u16(), &refused.body["id"]), (422, &json!("invalid_params")));
    }
    for path in ["/reports/4b5b1a80-0000-4000-8000-000000000000", "/reports/x"] {
        assert_eq!(get(&world, path).await.status, 404, "{path}");
    }
    world.memory.silent.store(true, Ordering::Relaxed);
    assert_eq!(world.request("POST", "/reports", asked).await.status, 503);
    // It goes with its database.
    let gone = world.request("DELETE", &format!("/apps/{app}/addons/acme-db"), json!({})).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert_eq!(get(&world, &path).await.status, 404);
}

#[tokio::test]
async fn what_a_database_said_of_itself_is_told() {
    let (world, _) = world("standard-0", true).await;
    let base = "/client/v11/databases/acme-db";
    assert_eq!(get(&world, &format!("{base}/metrics")).await.body, json!([]));
    let mut tx = world.ops.store().read().await.unwrap();
    let id = store::addons::by_name(&mut tx, "acme-db").await.unwrap().unwrap().id;
    drop(tx);
    let samples = [("tables".to_owned(), "3".to_owned())].into();
    ops::addons::sampled(&world.ops, id, &samples).await.unwrap();
    let told = get(&world, &format!("{base}/metrics")).await.body;
    assert_eq!(told, json!([{ "name": "tables", "value": "3" }]));
    assert_eq!(get(&world, &format!("{base}/burst_status")).await.body, json!({}));
    assert_eq!(get(&world, "/client/v11/databases/nobody-s/metrics").await.status, 404);
}
