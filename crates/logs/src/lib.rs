//! The logs of apps: lines come in from dynos, the router and the API, are kept for a while and
//! are read back, filtered, also as they come.
//!
//! Each app has its own directory of segments, its own task and its own bounded queue, so that a
//! noisy app costs its neighbours nothing. What it refuses to do: make a producer wait ([`Logs::append`]
//! drops and says so in the stream), use the database, and keep lines in memory for slow readers.

mod app;
mod cursor;
mod queue;
mod reader;
mod record;
mod segment;
pub mod session;
mod tail;
mod writer;

pub use queue::overflow_line;
pub use reader::{Portion, Reader, Start};
pub use tail::{Found, Query, Tail, TailLine};

use app::{AppLog, Command, Reply};
use domain::{AppId, LogLine};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use uuid::Uuid;

/// Names a line of one app's log. Later lines have higher ids, not necessarily the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId(pub u64);

/// Where logs are kept and how much of them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Holds a directory for each app.
    pub dir: PathBuf,
    /// Bytes kept for one app; one segment more while the newest is being filled.
    pub app_bytes: u64,
    /// How long a line is kept at most; in steps of segments.
    pub age: Duration,
    /// Bytes after which a new segment begins.
    pub segment_bytes: u64,
    /// Lines that wait to be written, for each app; beyond, [`Logs::append`] drops.
    pub queue: usize,
    /// Time between two synchronisations of one app's log with the disk, at least.
    pub sync_interval: Duration,
    /// Lines that a live reader may be behind before it is moved ahead.
    pub tail_lag: u64,
}

impl Config {
    /// Heroku's age, and bounds that fit a machine of one's own.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            app_bytes: 64 << 20,
            age: Duration::from_hours(7 * 24),
            segment_bytes: 2 << 20,
            queue: 4096,
            sync_interval: Duration::from_millis(100),
            tail_lag: 10_000,
        }
    }
}

/// Why a log could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the log could not be read")]
    Read(#[source] io::Error),
    #[error("the log could not be written")]
    Write(#[source] io::Error),
    /// The app's log was removed.
    #[error("the log was removed")]
    Removed,
}

/// All logs. Cloning gives another handle on the same logs.
#[derive(Clone)]
pub struct Logs {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<Config>,
    runtime: tokio::runtime::Handle,
    /// `None` marks an app whose log was removed: late lines must not bring it back.
    apps: RwLock<HashMap<AppId, Option<Arc<AppLog>>>>,
    bounds: Arc<RwLock<HashMap<AppId, Bounds>>>,
}

/// How much of one app's log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub bytes: u64,
    pub age: Duration,
}

/// What bounds an app's log now.
#[derive(Clone)]
pub(crate) struct Limits {
    app: AppId,
    config: Arc<Config>,
    bounds: Arc<RwLock<HashMap<AppId, Bounds>>>,
}

impl Limits {
    pub(crate) fn now(&self) -> Bounds {
        let usual = Bounds { bytes: self.config.app_bytes, age: self.config.age };
        let bounds = self.bounds.read().unwrap_or_else(PoisonError::into_inner);
        bounds.get(&self.app).copied().unwrap_or(usual)
    }
}

impl Logs {
    /// Makes the directory if need be. Must be called within a tokio runtime, on which the writing
    /// is done; the other functions may be called from anywhere.
    pub fn open(config: Config) -> Result<Self, Error> {
        std::fs::create_dir_all(&config.dir).map_err(Error::Write)?;
        let shared = Shared {
            config: Arc::new(config),
            runtime: tokio::runtime::Handle::current(),
            apps: RwLock::default(),
            bounds: Arc::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Adds a line. Never waits: if the app's queue is full or the disk is, the line is dropped
    /// and counted, and a line with `Error L10` tells of it as soon as there is room.
    pub fn append(&self, app: AppId, line: LogLine) {
        self.append_all(app, vec![line]);
    }

    /// Adds lines as [`Logs::append`] does, for much less than adding them one by one: the app's
    /// task is woken once.
    pub fn append_all(&self, app: AppId, lines: Vec<LogLine>) {
        if let Some(log) = self.app(app) {
            log.add(lines);
        }
    }

    /// Adds lines that a container printed, each with its sequence number, in order. Lines at or
    /// below [`Logs::position`] are passed over, so that repeating a call does no harm. Returns
    /// once the lines are safe on disk; waits while the app's queue is full.
    pub async fn append_from(
        &self,
        app: AppId,
        container: Uuid,
        lines: Vec<(u64, LogLine)>,
    ) -> Result<(), Error> {
        self.ask(app, |done| Command::Output { container, lines, done }).await
    }

    /// The last sequence number of a container's output that is kept; 0 if none is. Survives
    /// restarts.
    pub async fn position(&self, app: AppId, container: Uuid) -> Result<u64, Error> {
        self.ask(app, |reply| Command::Position(container, reply)).await
    }

    /// A container is gone and will print nothing more.
    pub async fn forget(&self, app: AppId, container: Uuid) {
        if let Some(log) = self.app(app) {
            let _ = log.commands.send(Command::Forget(container)).await;
        }
    }

    /// Reads an app's log. The stream ends when everything asked for was delivered, which with
    /// `follow` is when the log is removed; dropping it ends the reading. Must be called within a
    /// tokio runtime.
    pub fn tail(&self, app: AppId, query: Query) -> Tail {
        match self.app(app) {
            Some(log) => tail::start(log, query, self.shared.config.tail_lag),
            None => Tail::new(tokio::sync::mpsc::channel(1).1),
        }
    }

    /// Reads an app's log at the reader's own pace: nothing is read ahead, and a reader can be as far behind
    /// as the log is kept.
    pub async fn reader(&self, app: AppId, start: Start) -> Result<Reader, Error> {
        let log = self.app(app).ok_or(Error::Removed)?;
        reader::open(log, start).await
    }

    /// Looks through an app's log, from behind `query.after` up to `until`, or to what is there now: the first
    /// `limit` lines that match, and how many do.
    pub async fn search(
        &self,
        app: AppId,
        query: Query,
        until: Option<LineId>,
        limit: usize,
    ) -> Result<Found, Error> {
        let log = self.app(app).ok_or(Error::Removed)?;
        tail::search(log, query, until, limit).await
    }

    /// The last line there is now.
    pub async fn head(&self, app: AppId) -> Result<LineId, Error> {
        self.ask(app, Command::Head).await
    }

    /// Has more or less of some apps' logs kept than is usual. Others are kept as usual again.
    pub fn keep(&self, bounds: HashMap<AppId, Bounds>) {
        *self.shared.bounds.write().unwrap_or_else(PoisonError::into_inner) = bounds;
    }

    /// Returns once all lines that were added before are safe on disk. For shutting down.
    pub async fn flush(&self) {
        for log in self.running() {
            let (done, flushed) = oneshot::channel();
            if log.commands.send(Command::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        }
    }

    /// Deletes what is too old, also of apps that have gone quiet. To be called now and then.
    pub async fn expire(&self) -> Result<(), Error> {
        let mut first_error = Ok(());
        for app in self.apps_on_disk().map_err(Error::Read)? {
            let result = self.ask(app, |done| Command::Expire(SystemTime::now(), done)).await;
            if let (Ok(()), Err(error @ (Error::Write(_) | Error::Read(_)))) = (&first_error, result) {
                first_error = Err(error);
            }
        }
        first_error
    }

    /// Deletes an app's log for good; lines that come later are dropped. Doing it twice is fine.
    pub async fn remove(&self, app: AppId) -> Result<(), Error> {
        let log = self.app(app);
        {
            let mut apps = self.shared.apps.write().unwrap_or_else(PoisonError::into_inner);
            apps.insert(app, None);
        }
        let Some(log) = log else { return Ok(()) };
        let (done, removed) = oneshot::channel();
        if log.commands.send(Command::Remove(done)).await.is_err() {
            return Ok(());
        }
        removed.await.unwrap_or(Ok(()))
    }

    /// The apps that have a log on disk.
    pub fn apps_on_disk(&self) -> io::Result<Vec<AppId>> {
        let mut apps = Vec::new();
        for entry in std::fs::read_dir(&self.shared.config.dir)? {
            apps.extend(entry?.file_name().to_str().and_then(|name| name.parse::<AppId>().ok()));
        }
        Ok(apps)
    }

    async fn ask<T>(&self, app: AppId, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        let log = self.app(app).ok_or(Error::Removed)?;
        let (reply, answer) = oneshot::channel();
        log.commands.send(command(reply)).await.map_err(|_| Error::Removed)?;
        answer.await.unwrap_or_else(|_| Err(Error::Write(io::Error::other("the writer gave no answer"))))
    }

    /// The app's log, started if need be.
    fn app(&self, app: AppId) -> Option<Arc<AppLog>> {
        let apps = &self.shared.apps;
        if let Some(known) = apps.read().unwrap_or_else(PoisonError::into_inner).get(&app) {
            return known.clone();
        }
        let mut apps = apps.write().unwrap_or_else(PoisonError::into_inner);
        let start = || {
            let dir = self.shared.config.dir.join(app.to_string());
            let limits =
                Limits { app, config: self.shared.config.clone(), bounds: self.shared.bounds.clone() };
            Some(Arc::new(app::spawn(&self.shared.runtime, self.shared.config.clone(), limits, dir)))
        };
        apps.entry(app).or_insert_with(start).clone()
    }

    fn running(&self) -> Vec<Arc<AppLog>> {
        let apps = self.shared.apps.read().unwrap_or_else(PoisonError::into_inner);
        apps.values().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
