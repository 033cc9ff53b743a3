//! What holds for every request: version, login, ranges, tags, ids, limits, errors.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use http::StatusCode;
use serde_json::{Value, json};
use support::{ACCEPT, EMAIL, PASSWORD, World, basic};

/// An answer's status and error id.
fn said(answer: &support::Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["id"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_version_has_to_be_asked_for() {
    let world = World::new().await;
    let bearer = world.bearer();
    for (accept, expected) in [
        (ACCEPT, 200),
        ("application/vnd.heroku+json; version=3.sdk", 200),
        ("*/*", 406),
        ("application/vnd.heroku+json; version=2", 406),
    ] {
        let headers = [("accept", accept), ("authorization", &bearer[..])];
        let answer = world.send("GET", "/account", &headers, "").await;
        assert_eq!(answer.status.as_u16(), expected, "{accept}: {}", answer.body);
    }
    let answer = world.send("GET", "/account", &[("authorization", &bearer)], "").await;
    assert_eq!(said(&answer), (406, "not_acceptable"));
}

#[tokio::test]
async fn tokens_let_in_however_they_are_sent_and_passwords_do_not() {
    let world = World::new().await;
    let token = world.token.clone();
    for (authorization, status) in [
        (format!("Bearer {token}"), 200),
        (format!("bearer {token}"), 200),
        (basic("", &token), 200),
        (basic("heroku", &token), 200),
        (basic(EMAIL, &token), 200),
        (String::new(), 401),
        ("Bearer undefined".into(), 401),
        ("Bearer ".into(), 401),
        (format!("Bearer {token}x"), 401),
        (basic(EMAIL, PASSWORD), 401),
        ("Basic %%%".into(), 401),
        (format!("Digest {token}"), 401),
    ] {
        let headers = [("accept", ACCEPT), ("authorization", &authorization[..])];
        let answer = world.send("GET", "/account", &headers, "").await;
        assert_eq!(answer.status.as_u16(), status, "{authorization}: {}", answer.body);
        if status == 401 {
            assert_eq!(answer.body["id"], "unauthorized");
            assert!(answer.header("www-authenticate").starts_with("Basic"));
        }
    }
}

#[tokio::test]
async fn a_password_makes_a_token() {
    let world = World::new().await;
    let body = json!({"description": "a laptop", "scope": ["global"], "expires_in": 3600}).to_string();
    for (email, password, status) in [
        (EMAIL, PASSWORD, 201),
        ("ADA@example.com", PASSWORD, 201),
        (EMAIL, "wrong", 401),
        ("x@y.z", PASSWORD, 401),
    ] {
        let authorization = basic(email, password);
        let headers = [("accept", ACCEPT), ("authorization", &authorization[..])];
        let answer = world.send("POST", "/oauth/authorizations", &headers, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{email} {password}: {}", answer.body);
        if status == 201 {
            assert_eq!(answer.body["user"]["email"], EMAIL);
            let bearer = format!("Bearer {}", answer.body["access_token"]["token"].as_str().unwrap());
            let headers = [("accept", ACCEPT), ("authorization", &bearer[..])];
            assert_eq!(world.send("GET", "/account", &headers, "").await.body["email"], EMAIL);
        }
    }
}

#[tokio::test]
async fn logging_out_ends_the_token() {
    let world = World::new().await;
    let made = world.request("POST", "/oauth/authorizations", json!({"description": "x"})).await.body;
    let token = made["access_token"]["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let headers = [("accept", ACCEPT), ("authorization", &bearer[..])];
    assert_eq!(world.send("GET", "/account", &headers, "").await.status, 200);
    let path = format!("/oauth/authorizations/{}", made["id"].as_str().unwrap());
    assert_eq!(world.request("DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(said(&world.send("GET", "/account", &headers, "").await), (401, "unauthorized"));
    let listed = world.request("GET", "/oauth/authorizations", Value::Null).await.body;
    assert!(!listed.to_string().contains(&token), "a list shows no whole token");
}

#[tokio::test]
async fn unchanged_answers_are_not_sent_twice() {
    let world = World::new().await;
    let bearer = world.bearer();
    let first = world.request("GET", "/account", Value::Null).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let headers = [("accept", ACCEPT), ("authorization", &bearer[..]), ("if-none-match", &tag[..])];
    let again = world.send("GET", "/account", &headers, "").await;
    assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(again.header("etag"), tag);
    world.request("PATCH", "/account", json!({"name": "Somebody else"})).await;
    let changed = world.send("GET", "/account", &headers, "").await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn lists_come_in_pieces() {
    let world = World::new().await;
    let app = world.create_app().await;
    let path = format!("/apps/{app}/releases");
    for value in ["1", "2", "3"] {
        world.request("PATCH", &format!("/apps/{app}/config-vars"), json!({"A": value})).await;
    }
    let all = world.request("GET", &path, Value::Null).await;
    let versions = |answer: &support::Answer| -> Vec<i64> {
        answer.body.as_array().unwrap().iter().map(|one| one["version"].as_i64().unwrap()).collect()
    };
    assert_eq!(all.status, 200);
    assert_eq!(versions(&all), [1, 2, 3, 4, 5]);
    let newest = world.range(&path, "version ..; max=2, order=desc").await;
    assert_eq!((newest.status.as_u16(), versions(&newest)), (206, vec![5, 4]));
    assert_eq!(newest.header("content-range"), "version 5..4; max=2, order=desc");
    let rest = world.range(&path, newest.header("next-range")).await;
    assert_eq!(versions(&rest), [3, 2]);
    assert_eq!(world.range(&path, "").await.status, 200);
    let bad = world.range(&path, "colour ..").await;
    assert_eq!(said(&bad), (416, "requested_range_not_satisfiable"));
}

#[tokio::test]
async fn answers_carry_ids_and_what_is_left_of_the_limit() {
    let world = World::new().await;
    let first = world.request("GET", "/account", Value::Null).await;
    assert!(uuid::Uuid::parse_str(first.header("request-id")).is_ok());
    let left = |answer: &support::Answer| answer.header("ratelimit-remaining").parse::<i64>().unwrap();
    let second = world.request("GET", "/account", Value::Null).await;
    assert!(left(&second) < left(&first), "{} {}", left(&first), left(&second));
    let told = world.request("GET", "/account/rate-limits", Value::Null).await;
    assert!(told.body["remaining"].as_i64().unwrap() >= left(&second), "asking is free");

    let (bearer, id) = (world.bearer(), "8601b555-6a83-4c12-8269-97c8e32cdb22");
    let headers = [("accept", ACCEPT), ("authorization", &bearer[..]), ("request-id", id)];
    let answer = world.send("GET", "/account", &headers, "").await;
    assert!(answer.header("request-id").ends_with(&format!(",{id}")), "{}", answer.header("request-id"));
    let unknown = world.send("GET", "/nowhere", &[], "").await;
    assert!(!unknown.header("request-id").is_empty(), "errors carry an id, too");
}

#[tokio::test]
async fn browsers_of_other_origins_may_ask() {
    let world = World::new().await;
    let preflight = [("origin", "https://x.example"), ("access-control-request-method", "PATCH")];
    let answer = world.send("OPTIONS", "/apps/x", &preflight, "").await;
    assert_eq!(answer.status, 204);
    assert!(answer.header("access-control-allow-methods").contains("PATCH"));
    assert_eq!(
        world.request("GET", "/account", Value::Null).await.header("access-control-allow-origin"),
        "*"
    );
}

#[tokio::test]
async fn errors_have_heroku_s_shape() {
    let world = World::new().await;
    let app = world.create_app().await;
    let name = json!({ "name": app });
    for (method, path, body, status, id) in [
        ("GET", "/apps/no-such-app".to_owned(), String::new(), 404, "not_found"),
        ("GET", "/no/such/path".into(), String::new(), 404, "not_found"),
        ("PUT", "/account".into(), String::new(), 404, "not_found"),
        ("POST", "/pipelines".into(), "{}".into(), 404, "not_implemented"),
        ("GET", format!("/apps/{app}/features/runtime-heroku-exec"), String::new(), 404, "not_implemented"),
        ("GET", format!("/apps/{app}/features/no-such-feature"), String::new(), 404, "not_found"),
        ("PATCH", format!("/apps/{app}/config-vars"), "{\"A\":".into(), 400, "bad_request"),
        ("PATCH", format!("/apps/{app}/formation"), "{}".into(), 422, "invalid_params"),
        ("PATCH", format!("/apps/{app}/config-vars"), "{\"A-B\": \"1\"}".into(), 422, "invalid_params"),
        ("POST", "/apps".into(), name.to_string(), 422, "invalid_params"),
        ("POST", "/apps".into(), format!("\"{}\"", "x".repeat(2 << 20)), 413, "payload_too_large"),
        ("GET", format!("/apps/{app}/releases/99"), String::new(), 404, "not_found"),
        ("GET", format!("/apps/{app}/dynos/web.7"), String::new(), 404, "not_found"),
    ] {
        let answer = world.raw(method, &path, &body).await;
        assert_eq!(said(&answer), (status, id), "{method} {path}: {}", answer.body);
        assert!(answer.body["message"].as_str().is_some_and(|words| words.len() > 8), "{}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let answer = world.raw("GET", "/apps/no-such-app", "").await;
    assert_eq!(answer.body["resource"], "app");
    assert_eq!(answer.body["message"], "Couldn't find that app.");
}

#[tokio::test]
async fn other_people_s_apps_are_not_there() {
    let world = World::new().await;
    let app = world.create_app().await;
    let (_, token) = world.other_login().await;
    let bearer = format!("Bearer {token}");
    let headers = [("accept", ACCEPT), ("authorization", &bearer[..])];
    for path in ["", "/config-vars", "/releases", "/dynos", "/formation", "/collaborators"] {
        let answer = world.send("GET", &format!("/apps/{app}{path}"), &headers, "").await;
        assert!(matches!(answer.status.as_u16(), 403 | 404), "{path}: {} {}", answer.status, answer.body);
    }
    assert_eq!(world.send("GET", "/apps", &headers, "").await.body, json!([]));
}

#[tokio::test]
async fn a_request_that_comes_again_acts_once() {
    let world = World::new().await;
    let bearer = world.bearer();
    let apps = async || world.request("GET", "/apps", Value::Null).await.body.as_array().unwrap().len();
    let post = async |id: &str, authorization: &str, body: Value| {
        let headers = [("accept", ACCEPT), ("authorization", authorization), ("request-id", id)];
        world.send("POST", "/apps", &headers, &body.to_string()).await
    };
    let id = "8601b555-6a83-4c12-8269-97c8e32cdb22";
    let first = post(id, &bearer, json!({})).await;
    let again = post(id, &bearer, json!({})).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(first.body, again.body);
    assert_ne!(first.header("request-id"), again.header("request-id"), "each answer has an id of its own");
    assert_eq!(apps().await, 1);
    // Together, too, the second while the first is being carried out.
    let later = "9712b555-6a83-4c12-8269-97c8e32cdb22";
    let (one, other) = tokio::join!(post(later, &bearer, json!({})), post(later, &bearer, json!({})));
    assert_eq!(one.body, other.body);
    assert_eq!(apps().await, 2);
    // And if the first one's client does not wait for the answer.
    let left = "0823b555-6a83-4c12-8269-97c8e32cdb22";
    let mut leaving = Box::pin(post(left, &bearer, json!({})));
    // Far enough that the request was taken up.
    while apps().await == 2 && futures_util::poll!(leaving.as_mut()).is_pending() {}
    drop(leaving);
    assert_eq!(post(left, &bearer, json!({})).await.status, StatusCode::CREATED);
    assert_eq!(apps().await, 3);
    // Another body, another token and no id are other requests; so is one after a refusal.
    let (_, token) = world.other_login().await;
    assert_eq!(post(id, &bearer, json!({"name": "named-app"})).await.body["name"], "named-app");
    assert_ne!(post(id, &format!("Bearer {token}"), json!({})).await.body["id"], first.body["id"]);
    post("", &bearer, json!({})).await;
    post("", &bearer, json!({})).await;
    assert_eq!(apps().await, 7);
    let refused = "1934b555-6a83-4c12-8269-97c8e32cdb22";
    assert_eq!(post(refused, &bearer, json!({"name": "named-app"})).await.status, 422);
    world.request("DELETE", "/apps/named-app", Value::Null).await;
    assert_eq!(post(refused, &bearer, json!({"name": "named-app"})).await.status, 201);
}
