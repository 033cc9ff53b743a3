//! Backups over the data API, as the official CLI reads them.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use domain::TransferId;
use ops::transfers::{Done, Ended};
use serde_json::json;
use support::World;

/// An app with a database that is there; its id.
async fn database(world: &World) -> (String, String) {
    let app = world.create_app().await;
    let body = json!({ "plan": "heroku-postgresql:mini" });
    let made = world.request("POST", &format!("/apps/{app}/addons"), body).await;
    assert!(made.status.is_success(), "{made:?}");
    let id = made.body["id"].as_str().unwrap().to_owned();
    ops::addons::provisioned(&world.ops, id.parse().unwrap()).await.unwrap();
    (app, id)
}

#[tokio::test]
async fn a_backup_is_asked_for_followed_and_had() {
    let world = World::new().await;
    let (app, database) = database(&world).await;
    let asked =
        world.request("POST", &format!("/client/v11/databases/{database}/backups"), json!(null)).await;
    assert_eq!((asked.status.as_u16(), &asked.body["num"]), (201, &json!(1)), "{asked:?}");
    assert_eq!((&asked.body["from_type"], &asked.body["to_type"]), (&json!("pg_dump"), &json!("gof3r")));
    assert_eq!((&asked.body["finished_at"], &asked.body["schedule"]), (&json!(null), &json!(null)));
    let early = format!("/client/v11/apps/{app}/transfers/1/actions/public-url");
    assert_eq!(world.request("POST", &early, json!({})).await.status.as_u16(), 422);

    let id: TransferId = asked.body["uuid"].as_str().unwrap().parse().unwrap();
    ops::transfers::begun(&world.ops, id).await.unwrap().unwrap();
    let done = Done { source_bytes: 20, processed_bytes: 5, ..Done::default() };
    ops::transfers::finished(&world.ops, id, Ended::Done(done)).await.unwrap();
    world.memory.dump(id, b"PGDMP");
    let seen =
        world.request("GET", &format!("/client/v11/apps/{app}/transfers/{id}?verbose=true"), json!({})).await;
    assert_eq!((&seen.body["succeeded"], &seen.body["processed_bytes"]), (&json!(true), &json!(5)));
    let finished = seen.body["finished_at"].as_str().unwrap();
    assert!(finished.ends_with(" +0000, not proven yet"), "{finished}");
    assert!(seen.body["logs"][0]["message"].as_str().unwrap().ends_with("completed"), "{:?}", seen.body);
    let list = world.request("GET", &format!("/client/v11/apps/{app}/transfers"), json!({})).await;
    assert_eq!((&list.body[0]["num"], &list.body[0]["logs"]), (&json!(1), &json!(null)));

    let url = world.request("POST", &early, json!({})).await.body["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://"), "{url}");
    let path = World::path_of(&url.replace("https://", "http://"));
    let dump = world.send("GET", &path, &[], "").await;
    assert_eq!(
        (dump.status.as_u16(), &dump.bytes[..], dump.header("content-length")),
        (200, &b"PGDMP"[..], "5")
    );
    assert_eq!(world.send("GET", &format!("{path}x"), &[], "").await.status.as_u16(), 404);
    // Either name of it restores it; nonsense does not.
    let restores = format!("/client/v11/databases/{database}/restores");
    for (address, status) in
        [(url.as_str(), 201), (seen.body["to_url"].as_str().unwrap(), 201), ("ftp://a/b", 422)]
    {
        let restore =
            world.request("POST", &restores, json!({ "backup_url": address, "extensions": null })).await;
        assert_eq!(restore.status.as_u16(), status, "{restore:?}");
        if status == 201 {
            assert_eq!(
                (&restore.body["from_type"], &restore.body["from_name"]),
                (&json!("gof3r"), &json!("b001"))
            );
        }
    }
    let cancelled = format!("/client/v11/apps/{app}/transfers/2/actions/cancel");
    let cancelled = world.request("POST", &cancelled, json!({})).await;
    assert!(
        cancelled.body["canceled_at"].is_string() && cancelled.body["succeeded"] == false,
        "{cancelled:?}"
    );
    let deleted = world.request("DELETE", &format!("/client/v11/apps/{app}/transfers/1"), json!({})).await;
    assert_eq!((deleted.status.as_u16(), &deleted.body["num"]), (200, &json!(1)));
}

#[tokio::test]
async fn a_schedule_has_its_hour_as_text() {
    let world = World::new().await;
    let (_, database) = database(&world).await;
    let path = format!("/client/v11/databases/{database}/transfer-schedules");
    let body = json!({ "hour": "02", "timezone": "UTC", "schedule_name": "DATABASE_URL" });
    let set = world.request("POST", &path, body.clone()).await;
    assert_eq!(
        (set.status.as_u16(), &set.body["hour"], &set.body["name"]),
        (201, &json!(2), &json!("DATABASE_URL"))
    );
    for (key, value) in [("hour", "24"), ("hour", "noon"), ("timezone", "Mars")] {
        let mut bad = body.clone();
        bad[key] = json!(value);
        assert_eq!(world.request("POST", &path, bad).await.status.as_u16(), 422, "{value}");
    }
    let id = set.body["uuid"].as_str().unwrap();
    assert_eq!(world.request("GET", &path, json!({})).await.body[0]["uuid"], set.body["uuid"]);
    assert_eq!(world.request("DELETE", &format!("{path}/{id}"), json!({})).await.status.as_u16(), 200);
    assert_eq!(world.request("GET", &path, json!({})).await.body, json!([]));
}
