//! Logs, output, uploads and the browser's login: what works by a secret address.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use api::OutputOf;
use domain::LogLine;
use futures_util::StreamExt;
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use support::{ACCEPT, EMAIL, PASSWORD, World};

/// Nothing here takes longer unless it hangs.
const DEADLINE: Duration = Duration::from_mins(1);
const EVENTS: [(&str, &str); 1] = [("accept", "text/event-stream")];

/// Makes a log session and gives the path of its address.
async fn session(world: &World, app: &str, body: Value) -> String {
    let made = world.request("POST", &format!("/apps/{app}/log-sessions"), body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    World::path_of(made.body["logplex_url"].as_str().unwrap())
}

async fn print(world: &World, app: &str, messages: &[&str]) {
    let id = world.app_id(app).await;
    for message in messages {
        let line = LogLine::app(jiff::Timestamp::now(), "web.1", message.to_string());
        world.logs.append(id, line);
    }
    world.logs.flush().await;
}

/// Ids and data of events.
fn events(text: &str) -> Vec<(u64, String)> {
    let event = |block: &str| {
        let id = block.lines().find_map(|line| line.strip_prefix("id: "))?.parse().ok()?;
        let data = block.lines().find_map(|line| line.strip_prefix("data: "))?;
        Some((id, data.rsplit_once("]: ")?.1.to_owned()))
    };
    text.split("\n\n").filter_map(event).collect()
}

#[tokio::test]
async fn a_log_is_read_as_events_and_gone_on_with() {
    let world = World::new().await;
    let app = world.create_app().await;
    print(&world, &app, &["one", "two", "three"]).await;
    let path = session(&world, &app, json!({"lines": 2, "dyno": "web"})).await;
    let answer = world.send("GET", &path, &EVENTS, "").await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let text = String::from_utf8_lossy(&answer.bytes);
    assert!(text.ends_with("retry: 100\n\n"), "the official CLI is not kept waiting: {text}");
    let seen = events(&text);
    assert_eq!(seen.iter().map(|event| &event.1[..]).collect::<Vec<_>>(), ["two", "three"]);

    print(&world, &app, &["four"]).await;
    let last = seen[0].0.to_string();
    let headers = [("accept", "text/event-stream"), ("last-event-id", &last[..])];
    let answer = world.send("GET", &path, &headers, "").await;
    let seen = events(&String::from_utf8_lossy(&answer.bytes));
    assert_eq!(seen.iter().map(|event| &event.1[..]).collect::<Vec<_>>(), ["three", "four"]);

    let answer = world.send("GET", &path, &[], "").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(String::from_utf8_lossy(&answer.bytes).lines().count(), 2);
    let forged = format!("{}x", &path);
    assert_eq!(world.send("GET", &forged, &EVENTS, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_tail_follows_beats_and_ends_cleanly_with_the_server() {
    let world = World::new().await;
    let app = world.create_app().await;
    let path = session(&world, &app, json!({"lines": 10, "tail": true, "dyno": "web.1"})).await;
    let response = world.open("GET", &path, &EVENTS).await;
    let mut body = response.into_body().into_data_stream();
    let mut text = String::new();
    let mut printed = false;
    while !(text.contains("data: ") && text.contains("\n:\n")) {
        let piece = tokio::time::timeout(DEADLINE, body.next()).await.expect("in time");
        let piece = piece.expect("the stream goes on").expect("nothing breaks");
        assert!(text.len() < 10_000, "it beats and never tells the line: {text}");
        text.push_str(&String::from_utf8_lossy(&piece));
        if !printed {
            print(&world, &app, &["hello"]).await;
            printed = true;
        }
    }
    assert_eq!(events(&text).len(), 1);
    world.shutdown.cancel();
    let mut rest = String::new();
    while let Some(piece) = tokio::time::timeout(DEADLINE, body.next()).await.expect("in time") {
        rest.push_str(&String::from_utf8_lossy(&piece.expect("a clean end")));
    }
    assert!(rest.ends_with("retry: 10000\n\n"), "the reader is told to come back: {rest}");
}

#[tokio::test]
async fn a_log_ends_with_its_app() {
    let world = World::new().await;
    let app = world.create_app().await;
    let path = session(&world, &app, json!({"tail": true})).await;
    assert_eq!(world.request("DELETE", &format!("/apps/{app}"), Value::Null).await.status, 200);
    assert_eq!(world.send("GET", &path, &EVENTS, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn output_is_waited_for_until_it_has_begun() {
    let world = World::new().await;
    let app = world.create_app().await;
    let create = json!({"source_blob": {"url": "https://example.com/x.tgz"}});
    let build = world.request("POST", &format!("/apps/{app}/builds"), create).await.body;
    let path = World::path_of(build["output_stream_url"].as_str().unwrap());
    assert_eq!(world.send("GET", &path, &[], "").await.status, StatusCode::NOT_FOUND);
    let id = build["id"].as_str().unwrap().parse().unwrap();
    let begin = async {
        // Twice: a permit was left from above.
        world.memory.looked.notified().await;
        world.memory.looked.notified().await;
        world.memory.print(OutputOf::Build(id), "-----> Building\n");
    };
    let (answer, ()) = tokio::join!(world.send("GET", &path, &[], ""), begin);
    assert_eq!((answer.status.as_u16(), &answer.bytes[..]), (200, &b"-----> Building\n"[..]));
    assert_eq!(answer.header("connection"), "close");
    let answer = world.send("GET", &path, &[("range", "bytes=7-")], "").await;
    assert_eq!((answer.status.as_u16(), &answer.bytes[..]), (206, &b"Building\n"[..]));
    let other = json!({"source_blob": {"url": "https://example.com/y.tgz"}});
    let other = world.request("POST", &format!("/apps/{app}/builds"), other).await.body;
    let cancel = format!("/apps/{app}/builds/{}", other["id"].as_str().unwrap());
    assert_eq!(world.request("DELETE", &cancel, Value::Null).await.status, 200);
    let path = World::path_of(other["output_stream_url"].as_str().unwrap());
    let never = world.send("GET", &path, &[], "").await.status;
    assert_eq!(never, StatusCode::NOT_FOUND, "nothing comes of a build that has ended");
    assert_eq!(world.send("GET", "/streams/builds/wrong", &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.send("GET", "/streams/releases/wrong", &[], "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sources_go_in_and_come_back() {
    let world = World::new().await;
    let source = world.request("POST", "/sources", Value::Null).await;
    assert_eq!(source.status, 201);
    let url = |which: &str| World::path_of(source.body["source_blob"][which].as_str().unwrap());
    let (put, get) = (url("put_url"), url("get_url"));
    assert_ne!(put, get);
    assert_eq!(world.send("GET", &get, &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.send("PUT", &put, &[], "a tarball").await.status, 200);
    assert_eq!(&world.send("GET", &get, &[], "").await.bytes[..], b"a tarball");
    assert_eq!(world.send("PUT", &put, &[], "another").await.status, StatusCode::NOT_FOUND);

    // Who announces what it is is told when it is something else.
    let app = world.create_app().await;
    let right = hex::encode(Sha256::digest("a tarball"));
    for (checksum, status, words) in [
        ("0".repeat(64), 422, "but source_blob.checksum is SHA256:0000"),
        (format!("sha256:{}", "f".repeat(64)), 422, "but source_blob.checksum is SHA256:ffff"),
        ("MD5:1".into(), 422, "Checksum must be SHA256"),
        (right.clone(), 201, ""),
        (format!("SHA256:{}", right.to_uppercase()), 201, ""),
    ] {
        let blob = json!({"url": source.body["source_blob"]["get_url"], "checksum": checksum});
        let builds =
            world.request("POST", &format!("/apps/{app}/builds"), json!({"source_blob": blob})).await;
        assert_eq!(builds.status.as_u16(), status, "{}", builds.body);
        let setups = json!({"source_blob": blob, "app": {"name": format!("s{}", checksum.len())}});
        let setups = world.request("POST", "/app-setups", setups).await;
        assert_eq!(setups.status == 422, status == 422, "{}", setups.body);
        for answer in [builds, setups] {
            assert!(answer.body["message"].as_str().unwrap_or_default().contains(words), "{}", answer.body);
        }
    }

    let source = world.request("POST", "/sources", Value::Null).await.body;
    let put = World::path_of(source["source_blob"]["put_url"].as_str().unwrap());
    let big = "x".repeat(support::LIMIT as usize + 1);
    let answer = world.send("PUT", &put, &[], &big).await;
    assert_eq!((answer.status.as_u16(), answer.body["id"].as_str()), (413, Some("payload_too_large")));
    assert_eq!(world.send("PUT", "/uploads/sources/wrong", &[], "x").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.send("PUT", "/uploads/slugs/wrong", &[], "x").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_person_logs_in_with_a_browser() {
    let world = World::new().await;
    let begun = world.send("POST", "/auth", &[], r#"{"description": "a <laptop>"}"#).await.body;
    let text = |key: &str| begun[key].as_str().unwrap().to_owned();
    let (browser, cli, bearer) = (text("browser_url"), text("cli_url"), format!("Bearer {}", text("token")));
    let poll = [("authorization", &bearer[..])];
    assert_eq!(world.send("GET", &cli, &[], "").await.status, 401);

    let mut body = world.open("GET", &cli, &poll).await.into_body();
    let beat = tokio::time::timeout(DEADLINE, body.frame()).await.expect("in time").unwrap().unwrap();
    assert_eq!(&beat.into_data().unwrap()[..], b" ", "the wait is filled with spaces");

    let form = String::from_utf8(world.send("GET", &browser, &[], "").await.bytes.to_vec()).unwrap();
    assert!(form.contains("a &lt;laptop&gt;") && !form.contains(&text("token")), "{form}");
    let submit = |password: &str| {
        format!("email={}&password={}", EMAIL.replace('@', "%40"), password.replace(' ', "+"))
    };
    let type_of_form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(world.send("POST", &browser, &type_of_form, &submit("wrong")).await.status, 401);
    assert_eq!(world.send("POST", &browser, &type_of_form, &submit(PASSWORD)).await.status, 200);

    let rest = tokio::time::timeout(DEADLINE, body.collect()).await.expect("in time").unwrap().to_bytes();
    let done: Value = serde_json::from_slice(&rest).unwrap();
    let bearer = format!("Bearer {}", done["access_token"].as_str().unwrap());
    let headers = [("accept", ACCEPT), ("authorization", &bearer[..])];
    assert_eq!(world.send("GET", "/account", &headers, "").await.body["email"], EMAIL);
    assert_eq!(world.send("GET", &cli, &poll, "").await.status, 404, "a token is handed out once");
    let sessions = world.send("GET", "/oauth/sessions", &headers, "").await.body;
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
    assert_eq!(world.send("DELETE", "/oauth/sessions/~", &headers, "").await.status, 200);
    assert_eq!(world.send("GET", "/account", &headers, "").await.status, 401);
}

#[tokio::test]
async fn a_login_cannot_be_guessed_at() {
    let world = World::new().await;
    let begun = world.send("POST", "/auth", &[], "{}").await.body;
    let browser = begun["browser_url"].as_str().unwrap();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    for _ in 0..5 {
        assert_eq!(world.send("POST", browser, &headers, "email=a%40b.c&password=x").await.status, 401);
    }
    assert_eq!(world.send("POST", browser, &headers, "email=a%40b.c&password=x").await.status, 403);
}
