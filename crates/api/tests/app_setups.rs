//! Setups of apps, as the client that polls them sees them.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use api::OutputOf;
use domain::app_json::AppJson;
use domain::{AppSetupId, Digest};
use ops::builds::{Outcome, Success};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::World;

/// Asks for a setup and returns its id.
async fn set_up(world: &World) -> AppSetupId {
    let create = json!({"source_blob": {"url": "https://example.com/a.tgz"}, "app": {"name": "blog"}});
    let made = world.request("POST", "/app-setups", create).await;
    assert_eq!(made.status.as_u16(), 202, "{}", made.body);
    assert_eq!((&made.body["status"], &made.body["app"]["name"]), (&json!("pending"), &json!("blog")));
    for name in ["build", "postdeploy", "failure_message", "resolved_success_url"] {
        assert_eq!(made.body[name], Value::Null, "{name}");
    }
    assert_eq!(made.body["manifest_errors"], json!([]));
    made.body["id"].as_str().unwrap().parse().unwrap()
}

async fn info(world: &World, id: AppSetupId) -> Value {
    world.request("GET", &format!("/app-setups/{id}"), Value::Null).await.body
}

async fn begin(world: &World, id: AppSetupId, app_json: &str) {
    let app_json = AppJson::parse(app_json).unwrap().app_json;
    ops::app_setups::begin(&world.ops, id, Digest::from_bytes([1; 32]), app_json).await.unwrap();
}

#[tokio::test]
async fn a_setup_tells_of_its_build_its_script_and_where_to_go() {
    let world = World::new().await;
    let id = set_up(&world).await;
    begin(&world, id, r#"{"scripts": {"postdeploy": "bin/seed"}, "success_url": "/welcome"}"#).await;
    let body = info(&world, id).await;
    assert_eq!(body["build"]["status"], "pending");
    let build = world.request("GET", "/apps/blog/builds", Value::Null).await.body[0].clone();
    assert_eq!(
        (&body["build"]["id"], &body["build"]["output_stream_url"]),
        (&build["id"], &build["output_stream_url"])
    );
    assert_eq!(body["resolved_success_url"], "http://blog.localhost:8080/welcome");

    let success = Success {
        image: Some(Digest::from_bytes([2; 32])),
        images: BTreeMap::new(),
        built: Vec::new(),
        checksum: Some("SHA256:00".into()),
        size: 1,
        process_types: [("web".parse().unwrap(), "x".to_owned())].into(),
        buildpack_provided_description: None,
        buildpacks: Vec::new(),
        config_vars: BTreeMap::new(),
    };
    let build = build["id"].as_str().unwrap().parse().unwrap();
    ops::builds::finish(&world.ops, build, Outcome::Succeeded(Box::new(success))).await.unwrap();
    ops::app_setups::advance(&world.ops, id).await.unwrap();
    assert_eq!(info(&world, id).await["postdeploy"], Value::Null, "it still runs");
    world.memory.print(OutputOf::Setup(id), "seeded\n");
    ops::app_setups::finish_postdeploy(&world.ops, id, Some(0)).await.unwrap();
    let body = info(&world, id).await;
    assert_eq!(body["postdeploy"], json!({"output": "seeded\n", "exit_code": 0}));
    assert_eq!((&body["status"], &body["build"]["status"]), (&json!("succeeded"), &json!("succeeded")));
}

#[tokio::test]
async fn a_setup_that_fails_names_everything_that_is_wrong() {
    let world = World::new().await;
    let id = set_up(&world).await;
    begin(&world, id, r#"{"env": {"FOO": {}}, "addons": ["heroku-nothing"]}"#).await;
    let body = info(&world, id).await;
    assert_eq!((&body["status"], &body["failure_message"]), (&json!("failed"), &json!("invalid app.json")));
    let errors = body["manifest_errors"].as_array().unwrap();
    assert!(errors.contains(&json!("config var FOO is required")), "{errors:?}");
    assert!(
        errors.len() == 2 && body["manifest_errors"].to_string().contains("heroku-nothing"),
        "{errors:?}"
    );
    assert_eq!(world.request("GET", "/apps/blog", Value::Null).await.status, 200, "the app stays");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused() {
    let world = World::new().await;
    let source = json!({"url": "https://example.com/a.tgz"});
    for (body, words) in [
        (json!({}), "source_blob"),
        (json!({"source_blob": {"url": "ftp://example.com/a"}}), "source_blob.url must be"),
        (json!({"source_blob": source, "app": {"space": "x"}}), "Kigo has no teams and no spaces yet"),
        (json!({"source_blob": source, "overrides": {"env": {"A-B": "1"}}}), "Config var name"),
    ] {
        let answer = world.request("POST", "/app-setups", body).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(words), "{}", answer.body);
    }
    let answer = world.request("GET", "/app-setups/01234567-89ab-4def-8123-456789abcdef", Value::Null).await;
    assert_eq!((answer.status.as_u16(), answer.body["id"].as_str()), (404, Some("not_found")));
}
