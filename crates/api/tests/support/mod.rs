//! The whole API in this process: the real router over a real database, real logs, and seams that
//! keep what they are given in memory.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of this")]

mod memory;

use api::{BuiltIn, Config, Parts, router};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
pub use memory::{LIMIT, Memory};
use ops::Ops;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub const EMAIL: &str = "ada@example.com";
pub const PASSWORD: &str = "correct horse battery";
pub const SSH_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAlQaWwn/sm4CqPyMgVcMkD2+kmJ1EvdKfqJTZF ada@example";
/// Longer than a test takes to begin an output.
const PATIENCE: Duration = Duration::from_secs(1);
pub const ACCEPT: &str = "application/vnd.heroku+json; version=3";

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `null` if it was no JSON.
    pub body: Value,
    pub bytes: Bytes,
}

impl Answer {
    /// A header as text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// `Basic` with this user and password.
pub fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// The usual settings, with the services that are built in.
fn settings() -> ops::Settings {
    let catalog = addons::Catalog::load(None).unwrap_or_else(|error| panic!("{error}"));
    ops::Settings { catalog: Arc::new(catalog), ..ops::Settings::default() }
}

/// One API with a database of its own, and its administrator's token.
pub struct World {
    pub token: String,
    pub ops: Ops,
    pub logs: logs::Logs,
    pub memory: Arc<Memory>,
    pub shutdown: CancellationToken,
    router: Router,
    /// Holds the database and the logs until the world ends.
    _directory: TempDir,
}

/// The app's log as the server has it.
struct AppLog(logs::Logs);

impl ops::AppLog for AppLog {
    fn log(&self, app: domain::AppId, line: domain::LogLine) {
        self.0.append(app, line);
    }
}

impl World {
    /// A fresh one.
    pub async fn new() -> Self {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let keys = store::Keys::load(directory.path(), None).unwrap();
        let store = store::Store::open(directory.path(), keys).await.unwrap();
        let logs = logs::Logs::open(logs::Config::new(directory.path().join("logs"))).unwrap();
        let ops = Ops::new(store, settings(), Arc::new(AppLog(logs.clone())));
        let admin = ops::accounts::Bootstrap {
            email: Some(EMAIL.into()),
            password: Some(PASSWORD.into()),
            token: None,
        };
        let admin = ops::accounts::bootstrap(&ops, admin).await.unwrap().expect("a new installation");
        let memory = Arc::new(Memory::default());
        let shutdown = CancellationToken::new();
        let config =
            Config { heartbeat: Duration::from_millis(50), output_patience: PATIENCE, ..Config::default() };
        let parts = Parts {
            ops: ops.clone(),
            logs: logs.clone(),
            outputs: memory.clone(),
            blobs: memory.clone(),
            databases: memory.clone(),
            config,
            buildpacks: vec![BuiltIn {
                name: "heroku/nodejs",
                alias: None,
                language: "Node.js",
                recognised_by: "package.json",
                guide: "# Node.js",
            }],
            log_key: b"a key for tests".to_vec(),
            shutdown: shutdown.clone(),
        };
        let router = router(parts);
        Self { token: admin.token, ops, logs, memory, shutdown, router, _directory: directory }
    }

    /// The administrator's `Authorization` header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Sends a request and returns the answer with its body still to be read.
    pub async fn open(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> http::Response<Body> {
        self.call(method, path, headers, Body::empty()).await
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> http::Response<Body> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:5000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    /// Sends a request with exactly these headers.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let response = self.call(method, path, headers, Body::from(body.to_owned())).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body, bytes }
    }

    /// Sends a request as the administrator, with a body that need be no JSON.
    pub async fn raw(&self, method: &str, path: &str, body: &str) -> Answer {
        let bearer = self.bearer();
        self.send(method, path, &[("accept", ACCEPT), ("authorization", &bearer)], body).await
    }

    /// Sends a request as the administrator; `null` is no body.
    pub async fn request(&self, method: &str, path: &str, body: Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, path, &text).await
    }

    /// Asks for a range of a list.
    pub async fn range(&self, path: &str, range: &str) -> Answer {
        let bearer = self.bearer();
        self.send("GET", path, &[("accept", ACCEPT), ("authorization", &bearer), ("range", range)], "").await
    }

    /// Puts bytes where an answer said.
    pub async fn upload(&self, url: &str, bytes: &'static [u8]) {
        let response = self.call("PUT", &Self::path_of(url), &[], Body::from(bytes)).await;
        assert!(response.status().is_success(), "{url}: {}", response.status());
    }

    /// The path of an address that an answer gave, which must be on the origin that was asked.
    pub fn path_of(url: &str) -> String {
        url.strip_prefix("http://localhost:5000").unwrap_or_else(|| panic!("{url:?}")).to_owned()
    }

    /// A new app's name.
    pub async fn create_app(&self) -> String {
        let made = self.request("POST", "/apps", serde_json::json!({})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        made.body["name"].as_str().unwrap().to_owned()
    }

    /// The id of an app.
    pub async fn app_id(&self, app: &str) -> domain::AppId {
        let info = self.request("GET", &format!("/apps/{app}"), Value::Null).await;
        info.body["id"].as_str().unwrap().parse().unwrap()
    }

    /// The address of a second account.
    pub async fn other_account(&self) -> String {
        self.other_login().await.0
    }

    /// Address and token of a second account.
    pub async fn other_login(&self) -> (String, String) {
        let admin = ops::authorizations::authenticate(&self.ops, &self.token).await.unwrap();
        let email = "bob@example.com".to_owned();
        let create = ops::accounts::Create { email: email.clone(), name: None, password: PASSWORD.into() };
        ops::accounts::create(&self.ops, &admin, create).await.unwrap();
        let bob = ops::accounts::log_in(&self.ops, &email, PASSWORD).await.unwrap();
        let issued = ops::authorizations::create(&self.ops, &bob, ops::authorizations::Create::default());
        (email, issued.await.unwrap().token)
    }
}
