//! Builds for tests, as whoever waits for them sees them.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use api::OutputOf;
use domain::BuildId;
use ops::builds::Outcome;
use serde_json::{Value, json};
use support::World;

async fn test(world: &World, app: &str) -> (BuildId, Value) {
    let create = json!({
        "source_blob": {"url": "https://example.com/x.tgz", "version": "954ab531"},
        "branch": "topic",
        "env": {"TOKEN": "s3cret"},
    });
    let made = world.request("POST", &format!("/apps/{app}/test-builds"), create).await;
    assert_eq!(made.status, 201, "{}", made.body);
    (made.body["id"].as_str().unwrap().parse().unwrap(), made.body)
}

#[tokio::test]
async fn they_tell_how_the_tests_ended() {
    let world = World::new().await;
    let app = world.create_app().await;
    for (outcome, status, code) in [
        (Some(Outcome::Tested(0)), "succeeded", json!(0)),
        (Some(Outcome::Tested(3)), "failed", json!(3)),
        (Some(Outcome::Failed), "errored", Value::Null),
        (None, "cancelled", Value::Null),
    ] {
        let (id, made) = test(&world, &app).await;
        assert_eq!((&made["status"], &made["exit_code"]), (&json!("pending"), &Value::Null));
        assert_eq!((&made["branch"], &made["source_blob"]["version"]), (&json!("topic"), &json!("954ab531")));
        assert!(!made.to_string().contains("s3cret"), "{made}");
        let place = format!("/apps/{app}/test-builds/{id}");
        match outcome {
            Some(outcome) => drop(ops::builds::finish(&world.ops, id, outcome).await.unwrap()),
            None => assert_eq!(world.request("DELETE", &place, Value::Null).await.status, 200),
        }
        let info = world.request("GET", &place, Value::Null).await.body;
        assert_eq!((&info["status"], &info["exit_code"]), (&json!(status), &code));
    }
    let list = world.request("GET", &format!("/apps/{app}/test-builds"), Value::Null).await.body;
    assert_eq!(list.as_array().unwrap().len(), 4);
    let none = json!([]);
    assert_eq!(world.request("GET", &format!("/apps/{app}/builds"), Value::Null).await.body, none);
    let releases = world.request("GET", &format!("/apps/{app}/releases"), Value::Null).await.body;
    assert!(releases.as_array().unwrap().iter().all(|release| release["slug"].is_null()), "{releases}");
}

#[tokio::test]
async fn what_they_print_is_followed_and_others_do_not_see_them() {
    let world = World::new().await;
    let app = world.create_app().await;
    let (id, made) = test(&world, &app).await;
    world.memory.print(OutputOf::Build(id), "-----> Running\n");
    let path = World::path_of(made["output_stream_url"].as_str().unwrap());
    assert_eq!(&world.send("GET", &path, &[], "").await.bytes[..], b"-----> Running\n");

    let build = world.request("GET", &format!("/apps/{app}/builds/{id}"), Value::Null).await;
    assert_eq!((build.status.as_u16(), &build.body["id"]), (404, &json!("not_found")));
    let other =
        world.request("GET", &format!("/apps/{app}/test-builds/{}", BuildId::new()), Value::Null).await;
    assert_eq!((other.status.as_u16(), &other.body["resource"]), (404, &json!("test_build")));
    let wrong = json!({"source_blob": {"url": "x"}});
    let wrong = world.request("POST", &format!("/apps/{app}/test-builds"), wrong).await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["id"]), (422, &json!("invalid_params")));
}
