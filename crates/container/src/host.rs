//! What the rest of Kigo uses to run containers on this machine: start a shim, see what became of
//! it, talk to it, clean up behind it.
//!
//! A [`Host`] holds nothing that matters: everything is on disk or in the shims, and a new one
//! over the same directory finds it all again.

mod client;
mod remains;
mod start;
mod stem;

pub use client::{Client, Subscription};
pub use start::Begun;

use crate::bundle::{Bundle, Ownership, Paths};
use crate::cgroup::{Group, Hierarchies, UsageReader};
use crate::protocol::{Refusal, Request};
use crate::rootfs::RANGE;
use crate::spool::SpoolReader;
use crate::state::{self, Ended, Phase, State};
use engine::{ContainerId, Status};
use remains::{died, kill_shim, remove_remains, shim_lives};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use stem::Stem;

/// How this installation runs its containers.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Directory of the containers' directories; made if missing. Not on an overlay file system.
    pub containers: PathBuf,
    /// Control group of all of them, unique on the machine, e.g. `kigo-1a2b`.
    pub cgroup_parent: String,
    /// First host user id of the first container; each has 65,536.
    pub uid_base: u32,
    /// Program and first arguments that end up in [`crate::shim::main`].
    pub shim: Vec<OsString>,
    /// Unacknowledged output kept per container, in bytes.
    pub spool_limit: u64,
    pub ownership: Ownership,
    /// An OCI runtime to use instead of the own launcher.
    pub runtime: Option<PathBuf>,
}

impl HostConfig {
    /// What is usual, for the server that re-executes itself as `… shim GROUP`.
    pub fn new(containers: PathBuf, cgroup_parent: String) -> Self {
        Self {
            containers,
            cgroup_parent,
            uid_base: 200_000,
            shim: vec!["/proc/self/exe".into(), "shim".into()],
            spool_limit: crate::spool::DEFAULT_LIMIT,
            ownership: Ownership::Best,
            runtime: None,
        }
    }
}

/// Why something could not be done with a container.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("no container {0}")]
    NotFound(ContainerId),
    #[error("container {0} has ended")]
    Ended(ContainerId),
    #[error("container {0} is not waiting for a client")]
    NotAttachable(ContainerId),
    #[error("all {0} ranges of user ids are taken")]
    NoUserIds(u32),
    #[error("the shim of container {id} refused: {refusal:?}")]
    Refused { id: ContainerId, refusal: Refusal },
    #[error("could not {doing}")]
    System {
        doing: String,
        #[source]
        source: io::Error,
    },
}

trait Doing<T> {
    fn doing(self, step: impl Into<String>) -> Result<T, HostError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, step: impl Into<String>) -> Result<T, HostError> {
        self.map_err(|source| HostError::System { doing: step.into(), source: source.into() })
    }
}

/// What the disk says about a container.
#[derive(Clone, Debug)]
pub struct Observed {
    pub bundle: Bundle,
    pub status: Status,
    pub address: Option<IpAddr>,
    /// What this machine could not provide for it, in words for an operator.
    pub warnings: Vec<String>,
}

/// The containers of this installation.
pub struct Host {
    config: HostConfig,
    stem: Stem,
    hierarchies: Hierarchies,
    /// Which first user ids are taken, by whom.
    users: Mutex<BTreeMap<u32, ContainerId>>,
}

impl Host {
    /// Opens the directory of containers and finds those that are there.
    pub fn new(config: HostConfig) -> Result<Self, HostError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&config.containers)
            .doing(format!("make {}", config.containers.display()))?;
        let hierarchies = Hierarchies::detect().doing("find this machine's control groups")?;
        let stem = Stem::new(config.shim.clone(), config.cgroup_parent.clone());
        let host = Self { config, stem, hierarchies, users: Mutex::default() };
        let mut users = BTreeMap::new();
        for id in host.ids()? {
            if let Some(bundle) = host.bundle(id)? {
                users.insert(bundle.uid_base, id);
            }
        }
        *host.users.lock().unwrap_or_else(PoisonError::into_inner) = users;
        Ok(host)
    }

    pub fn config(&self) -> &HostConfig {
        &self.config
    }

    pub fn paths(&self, id: ContainerId) -> Paths {
        Paths::of(&self.config.containers, id)
    }

    /// Every container that was spawned and not cleaned up.
    pub fn ids(&self) -> Result<Vec<ContainerId>, HostError> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.config.containers).doing("list the containers")? {
            let name = entry.doing("list the containers")?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            if self.paths(id).spec().exists() {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// What became of a container.
    pub fn observe(&self, id: ContainerId) -> Result<Observed, HostError> {
        let bundle = self.bundle(id)?.ok_or(HostError::NotFound(id))?;
        let paths = self.paths(id);
        let alive = shim_lives(&paths)?;
        let state: Option<State> = state::read_json(&paths.state()).doing("read the container's state")?;
        let ended: Option<Ended> = state::read_json(&paths.exit()).doing("read the container's exit")?;
        let status = match (&ended, &state) {
            (Some(ended), _) => Status::Exited { since: ended.since, at: ended.at, exit: ended.exit.clone() },
            (None, state) if !alive => died(&paths, state.as_ref()),
            (None, Some(State { phase: Phase::Running, since: Some(since), listening, .. })) => {
                Status::Running { since: *since, listening: *listening }
            }
            (None, Some(State { phase: Phase::AwaitingClient, .. })) => Status::AwaitingClient,
            (None, _) => Status::Creating,
        };
        let address = bundle.network.as_ref().map(|network| network.address);
        let warnings = state.map(|state| state.warnings).unwrap_or_default();
        Ok(Observed { bundle, status, address, warnings })
    }

    /// What the container printed after sequence `after`.
    pub fn output(&self, id: ContainerId, after: u64) -> SpoolReader {
        SpoolReader::new(self.paths(id).output(), after)
    }

    /// For reading what the container uses, again and again.
    pub fn usage(&self, id: ContainerId) -> UsageReader {
        UsageReader::open(&self.group(id))
    }

    /// SIGTERM to every process inside, SIGKILL after `grace`, also if this server is gone by
    /// then. Nothing happens to what has ended.
    pub async fn stop(&self, id: ContainerId, grace: Duration) -> Result<(), HostError> {
        let grace_milliseconds = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        match self.request(id, Request::Stop { grace_milliseconds }).await {
            Err(HostError::Ended(_)) => Ok(()),
            other => other,
        }
    }

    /// A signal to every process inside.
    pub async fn signal(&self, id: ContainerId, number: i32) -> Result<(), HostError> {
        self.request(id, Request::Signal { number }).await
    }

    /// The terminal's new size.
    pub async fn resize(&self, id: ContainerId, columns: u16, rows: u16) -> Result<(), HostError> {
        self.request(id, Request::Resize { columns, rows }).await
    }

    /// Output up to `sequence` is kept elsewhere. After the end there is nothing to make room for.
    pub async fn acknowledge(&self, id: ContainerId, sequence: u64) -> Result<(), HostError> {
        match self.request(id, Request::Acknowledge { sequence }).await {
            Err(HostError::Ended(_)) => Ok(()),
            other => other,
        }
    }

    /// Becomes the one client of a container with a terminal, which starts its program. Reading
    /// ends when the program has; closing hangs up.
    pub async fn attach(&self, id: ContainerId) -> Result<tokio::net::UnixStream, HostError> {
        self.connect(id).await?.attach().await.map_err(|error| self.refused(id, error))
    }

    /// Tells when something changes, until the shim is gone.
    pub async fn subscribe(&self, id: ContainerId) -> Result<Subscription, HostError> {
        self.connect(id).await?.subscribe().await.map_err(|error| self.refused(id, error))
    }

    /// A connection to the shim, for several requests.
    pub async fn connect(&self, id: ContainerId) -> Result<Client, HostError> {
        let paths = self.paths(id);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match Client::connect(&paths).await {
                Ok(client) => return Ok(client),
                Err(error) => {
                    if !paths.spec().exists() {
                        return Err(HostError::NotFound(id));
                    }
                    if paths.exit().exists() || !shim_lives(&paths)? {
                        return Err(HostError::Ended(id));
                    }
                    // A shim listens a few milliseconds after it was started.
                    if Instant::now() > deadline {
                        return Err(error).doing(format!("reach the shim of container {id}"));
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }

    async fn request(&self, id: ContainerId, request: Request) -> Result<(), HostError> {
        self.connect(id).await?.request(request).await.map_err(|error| self.refused(id, error))
    }

    fn refused(&self, id: ContainerId, error: client::ClientError) -> HostError {
        match error {
            client::ClientError::Refused(Refusal::NotAttachable) => HostError::NotAttachable(id),
            client::ClientError::Refused(refusal) => HostError::Refused { id, refusal },
            // It ended while we asked.
            client::ClientError::Io(_) if self.paths(id).exit().exists() => HostError::Ended(id),
            client::ClientError::Io(source) => {
                HostError::System { doing: format!("talk to the shim of container {id}"), source }
            }
        }
    }

    /// Kills the container if it runs, and removes everything of it: processes, control groups,
    /// mounts below its directory, and the directory. No error if there is nothing.
    pub async fn cleanup(&self, id: ContainerId) -> Result<(), HostError> {
        let paths = self.paths(id);
        if paths.directory().exists() {
            self.end_shim(id, &paths).await?;
        }
        let group = self.group(id);
        let directory = paths.directory().to_owned();
        tokio::task::spawn_blocking(move || remove_remains(&group, &directory))
            .await
            .map_err(io::Error::from)
            .doing("clean up")??;
        self.release_users(id);
        Ok(())
    }

    /// Returns when no shim holds the container any more.
    async fn end_shim(&self, id: ContainerId, paths: &Paths) -> Result<(), HostError> {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut asked = false;
        while shim_lives(paths)? {
            if !asked && !paths.exit().exists() {
                asked = true;
                if let Ok(mut client) = Client::connect(paths).await {
                    // If it does not listen any more, the deadline is for it.
                    let _ = client.request(Request::Stop { grace_milliseconds: 0 }).await;
                }
            }
            if Instant::now() > deadline {
                kill_shim(id, paths)?;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    fn bundle(&self, id: ContainerId) -> Result<Option<Bundle>, HostError> {
        state::read_json(&self.paths(id).spec()).doing(format!("read the spec of container {id}"))
    }

    fn group(&self, id: ContainerId) -> Group {
        Group::new(self.hierarchies.clone(), &self.config.cgroup_parent, &id.to_string())
    }

    /// The lowest range of user ids that nobody has.
    fn take_users(&self, id: ContainerId) -> Result<u32, HostError> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let ranges = (u32::MAX - self.config.uid_base) / RANGE;
        let free = (0..ranges)
            .map(|slot| self.config.uid_base + slot * RANGE)
            .find(|base| !users.contains_key(base));
        let base = free.ok_or(HostError::NoUserIds(ranges))?;
        users.insert(base, id);
        Ok(base)
    }

    fn release_users(&self, id: ContainerId) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, owner| *owner != id);
    }
}
