//! Every address of the API is asked by somebody without a token. What answers anything but 401 is
//! listed here, so that a route which forgets to ask who is there does not go unnoticed.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use http::StatusCode;
use support::{ACCEPT, Answer, World};

/// The table of contents itself: an address that is added there is asked here.
const ROUTES: &str = include_str!("../src/routes.rs");

/// Addresses that are open to everybody, and why.
const OPEN: [(&str, &str); 35] = [
    ("/oauth/token", "takes a grant and a secret"),
    ("/sso/{token}", "the token is signed"),
    ("/backups/{token}", "the token is signed"),
    ("/addon-pages/style.css", "the same for everybody"),
    ("/addon-pages/enter/{token}", "the token is signed"),
    ("/addon-pages/{addon}", "asks for a password"),
    ("/streams/logs/{token}", "the token is signed"),
    ("/streams/builds/{key}", "the key cannot be guessed"),
    ("/streams/releases/{key}", "the key cannot be guessed"),
    ("/uploads/sources/{key}", "the key cannot be guessed"),
    ("/uploads/slugs/{key}", "the key cannot be guessed"),
    ("/auth", "begins a login"),
    ("/auth/browser/{id}", "asks for a password"),
    ("/auth/cli/{id}", "asks for the login's token"),
    ("/api/v4/current-status", "tells nothing"),
    ("/buildpacks", "the same for everybody"),
    ("/buildpacks/{buildpack}", "the same for everybody"),
    ("/buildpacks/{buildpack}/revisions", "the same for everybody"),
    ("/buildpacks/{buildpack}/readme", "the same for everybody"),
    ("/regions", "the same for everybody"),
    ("/regions/{region}", "the same for everybody"),
    ("/stacks", "the same for everybody"),
    ("/stacks/{stack}", "the same for everybody"),
    ("/generations", "the same for everybody"),
    ("/generations/{generation}", "the same for everybody"),
    ("/dyno-sizes", "the same for everybody"),
    ("/dyno-sizes/{size}", "the same for everybody"),
    ("/addon-services", "the same for everybody"),
    ("/addon-services/{service}", "the same for everybody"),
    ("/addon-services/{service}/plans", "the same for everybody"),
    ("/addon-services/{service}/plans/{plan}", "the same for everybody"),
    ("/addon-services/{service}/region-capabilities", "the same for everybody"),
    ("/plans/{plan}", "the same for everybody"),
    ("/addon-region-capabilities", "the same for everybody"),
    ("/regions/{region}/addon-region-capabilities", "the same for everybody"),
];

/// All paths that stand in the table.
fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    for literal in ROUTES.split('"').skip(1).step_by(2) {
        match literal.split_once("{resource}") {
            Some((before, _)) => {
                let list = ROUTES.split_once("let of_app = [").expect("a list of resources").1;
                let list = list.split(']').next().unwrap_or_default();
                paths.extend(list.split('"').skip(1).step_by(2).map(|name| format!("{before}{name}")));
            }
            None if literal.starts_with('/') => paths.push(literal.to_owned()),
            None => {}
        }
    }
    paths.iter().map(|path| path.replace("{{", "{").replace("}}", "}")).collect()
}

/// A path with something in the place of what is in braces.
fn filled(path: &str, app: &str) -> String {
    let fill = |part: &str| match part {
        "{app}" => app.to_owned(),
        "{id}" => uuid::Uuid::new_v4().to_string(),
        part if part.starts_with('{') => "x".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

/// Whether no route took the request.
fn is_missing(answer: &Answer) -> bool {
    let message = answer.body["message"].as_str().unwrap_or_default();
    let unknown = answer.body["id"] == "not_found" && message.starts_with("The requested API endpoint");
    answer.status == StatusCode::NOT_FOUND && (unknown || answer.body["id"] == "not_implemented")
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let world = World::new().await;
    let app = world.create_app().await;
    let paths = paths();
    // Were the table written in another way, this test would look at nothing.
    assert!(paths.len() > 80 && paths.iter().any(|path| path == "/apps/{app}/addons"), "{paths:?}");
    let strangers = [
        None,
        Some("Bearer KIGO-0000000000000000000000000000000000000000000000000000000000000000".to_owned()),
        Some(support::basic("", "wrong")),
        Some(support::basic(support::EMAIL, "wrong password")),
        Some(format!("Bearer {} x", world.token)),
    ];
    let mut faults = Vec::new();
    for path in paths.iter().filter(|path| !OPEN.iter().any(|(open, _)| open == path)) {
        for (number, stranger) in strangers.iter().enumerate() {
            let mut asked = 0;
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let mut headers = vec![("accept", ACCEPT)];
                headers.extend(stranger.as_deref().map(|value| ("authorization", value)));
                let answer = world.send(method, &filled(path, &app), &headers, "{}").await;
                match answer.status {
                    StatusCode::UNAUTHORIZED => asked += 1,
                    _ if is_missing(&answer) => {}
                    status => faults.push(format!("{number}: {method} {path} answers {status}")),
                }
            }
            if asked == 0 {
                faults.push(format!("{number}: {path} asks for no token"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // The control: with the token, the same door opens.
    assert_eq!(world.request("GET", &format!("/apps/{app}"), serde_json::Value::Null).await.status, 200);
}

#[tokio::test]
async fn what_is_open_gives_nothing_to_who_guesses() {
    let world = World::new().await;
    let paths = paths();
    for (path, why) in OPEN {
        assert!(paths.iter().any(|known| known == path), "{path} is no address any more");
        let answer = world.send("GET", &filled(path, "x"), &[], "").await;
        let by_key = path.contains("{key}") || path.contains("{token}") || path.contains("{id}");
        if by_key {
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} ({why}): {}", answer.body);
        }
        assert!(!answer.status.is_server_error(), "{path}: {}", answer.status);
    }
}

#[tokio::test]
async fn a_login_opens_nothing_of_other_people_s_apps() {
    let world = World::new().await;
    let app = world.create_app().await;
    let (_, token) = world.other_login().await;
    let bearer = format!("Bearer {token}");
    let mut faults = Vec::new();
    let mut refused = 0;
    for path in paths().iter().filter(|path| path.contains("{app}")) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let headers = [("accept", ACCEPT), ("authorization", bearer.as_str())];
            let answer = world.send(method, &filled(path, &app), &headers, "{}").await;
            match answer.status {
                StatusCode::FORBIDDEN => refused += 1,
                // A body that lacks something may be refused before the app is looked at.
                StatusCode::UNPROCESSABLE_ENTITY if method != "GET" => {}
                _ if is_missing(&answer) => {}
                status => faults.push(format!("{method} {path} answers {status}: {}", answer.body)),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(refused > 40, "{refused}");
}
