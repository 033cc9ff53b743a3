//! Tests on a real store: what users can do, what they are refused, and what the app's log says.

mod access;
mod accounts;
mod addons;
mod app_setups;
mod apps;
mod builds;
mod config;
mod containers;
mod continuity;
mod dynos;
mod formation;
mod hangers_on;
mod papertrail;
mod partners;
mod registry;
mod releases;
mod reports;
mod scheduler;
mod test_builds;
mod transfers;

use crate::builds::{Finished, Outcome, Success};
use crate::{Actor, AppLog, Error, Ops, Result, Settings};
use domain::{AppId, Digest, LogLine, ProcessType, Release};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::{Keys, Store, StoreError};
use tempfile::TempDir;

/// An installation with an administrator, a clock that stands still, and a log to look into.
struct World {
    ops: Ops,
    admin: Actor,
    clock: Arc<Mutex<Timestamp>>,
    lines: Arc<Lines>,
    folder: TempDir,
}

#[derive(Default)]
struct Lines(Mutex<Vec<(AppId, String)>>);

impl AppLog for Lines {
    fn log(&self, app: AppId, line: LogLine) {
        let text = line.to_string();
        let text = text.split_once(' ').unwrap().1;
        self.0.lock().unwrap().push((app, text.strip_prefix("app[api]: ").unwrap_or(text).to_owned()));
    }
}

const PASSWORD: &str = "correct horse battery";

impl World {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        Self::open(folder, settings).await
    }

    /// As a server process that starts on this data directory.
    async fn open(folder: TempDir, settings: Settings) -> Self {
        let deadline = Instant::now() + Duration::from_mins(1);
        let store = loop {
            match Store::open(folder.path(), Keys::load(folder.path(), None).unwrap()).await {
                // A process that another test has just forked holds the lock of the server before
                // until it begins its own program.
                Err(StoreError::InUse(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                opened => break opened.unwrap(),
            }
        };
        let lines = Arc::new(Lines::default());
        let clock = Arc::new(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let now = clock.clone();
        let ops = Ops::with_clock(store, settings, lines.clone(), move || *now.lock().unwrap());
        let input = crate::accounts::Bootstrap {
            email: Some("admin@example.com".into()),
            password: Some(PASSWORD.into()),
            token: None,
        };
        crate::accounts::bootstrap(&ops, input).await.unwrap();
        let admin = crate::accounts::log_in(&ops, "admin@example.com", PASSWORD).await.unwrap();
        Self { ops, admin, clock, lines, folder }
    }

    /// As after a kill and a new start of the server.
    async fn restart(self) -> Self {
        let Self { ops, folder, .. } = self;
        let settings = ops.settings().clone();
        drop(ops);
        Self::open(folder, settings).await
    }

    fn pass(&self, seconds: i64) {
        let mut now = self.clock.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    /// What the app's log got since the last call.
    fn said(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().drain(..).map(|(_, text)| text).collect()
    }

    /// A person with an account. Without a password hash, which costs time.
    async fn person(&self, name: &str) -> Actor {
        let now = self.ops.now();
        let account = domain::Account {
            id: domain::AccountId::new(),
            email: format!("{name}@example.com"),
            name: None,
            admin: false,
            created_at: now,
            updated_at: now,
            last_login: None,
        };
        let mut write = self.ops.store().write().await.unwrap();
        store::accounts::insert(&mut write, &account, None).await.unwrap();
        write.commit().await.unwrap();
        Actor { account, authorization: None }
    }

    /// The same person with a token of these scopes.
    async fn token(&self, of: &Actor, scope: &[&str]) -> Actor {
        let input = crate::authorizations::Create {
            scope: scope.iter().map(|word| (*word).to_owned()).collect(),
            ..Default::default()
        };
        let issued = crate::authorizations::create(&self.ops, of, input).await.unwrap();
        crate::authorizations::authenticate(&self.ops, &issued.token).await.unwrap()
    }

    /// A new app of the administrator's.
    async fn app(&self, name: &str) -> String {
        let input = crate::apps::Create { name: Some(name.into()), ..Default::default() };
        crate::apps::create(&self.ops, &self.admin, input).await.unwrap();
        self.said();
        name.into()
    }

    async fn row(&self, app: &str) -> domain::App {
        crate::apps::info(&self.ops, &self.admin, app).await.unwrap().app
    }

    /// Builds and releases code with these process types.
    async fn deploy(&self, app: &str, types: &[(&str, &str)]) -> Release {
        self.finish(app, success(types)).await.release.unwrap()
    }

    async fn finish(&self, app: &str, success: Success) -> Finished {
        let input = crate::builds::CreateFromBlob {
            source: digest(1),
            description: "git push".into(),
            version: Some("954ab53189cd7d8e4e0f2ab0e0e8f2b3d6d3f9aa".into()),
            version_description: None,
        };
        let build = crate::builds::create_from_blob(&self.ops, &self.admin, app, input).await.unwrap().build;
        let outcome = Outcome::Succeeded(Box::new(success));
        crate::builds::finish(&self.ops, build.id, outcome).await.unwrap().unwrap()
    }

    async fn set(&self, app: &str, changes: &[(&str, Option<&str>)]) -> Result<domain::ConfigVars> {
        let changes = changes.iter().map(|(name, value)| ((*name).into(), value.map(Into::into))).collect();
        crate::config_vars::update(&self.ops, &self.admin, app, changes).await
    }

    /// `v1 Initial release succeeded`, one for each release, the current one marked with `*`.
    async fn ledger(&self, app: &str) -> Vec<String> {
        let releases = crate::releases::list(&self.ops, &self.admin, app).await.unwrap();
        releases
            .iter()
            .map(|info| {
                let release = &info.release;
                let mark = if info.current { "*" } else { "" };
                format!("v{}{mark} {} {}", release.version, release.description, release.status.as_str())
            })
            .collect()
    }

    /// `web=1:Basic worker=0:Basic`.
    async fn formation(&self, app: &str) -> String {
        let rows = crate::formation::list(&self.ops, &self.admin, app).await.unwrap();
        let each: Vec<_> = rows
            .iter()
            .map(|info| {
                let row = &info.formation;
                format!("{}={}:{}", row.process_type, row.quantity, row.size)
            })
            .collect();
        each.join(" ")
    }
}

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn types(list: &[(&str, &str)]) -> BTreeMap<ProcessType, String> {
    list.iter().map(|(name, command)| (ProcessType::parse(name).unwrap(), (*command).to_owned())).collect()
}

fn success(list: &[(&str, &str)]) -> Success {
    Success {
        image: Some(digest(2)),
        images: BTreeMap::new(),
        built: Vec::new(),
        checksum: Some("SHA256:00".into()),
        size: 1000,
        process_types: types(list),
        buildpack_provided_description: Some("Node.js".into()),
        buildpacks: Vec::new(),
        config_vars: BTreeMap::new(),
    }
}

/// Status, id and message of a refusal.
#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("it was allowed"),
        Err(Error::Internal(source)) => panic!("a fault: {source:?}"),
        Err(error) => format!("{} {} {error}", error.status(), error.id()),
    }
}
