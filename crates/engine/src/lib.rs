//! The seam between Kigo and whatever runs its containers.
//!
//! An engine starts containers, stops them, tells what it sees and hands out what they print. It
//! decides nothing: which dyno should run where is the planner's business. Containers outlive the
//! process that started them; an engine that is built anew finds them again with [`Engine::observe`].

pub mod contract;
pub mod fake;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Names a container for as long as it is known; a dyno's container has the dyno's id.
pub type ContainerId = Uuid;

/// Everything an engine needs to start a container. Written to disk beside the container, so that
/// a later server process knows what it found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerSpec {
    pub id: ContainerId,
    /// Free words by which the caller recognises its containers, e.g. `kind=dyno`, `app=<uuid>`.
    pub labels: BTreeMap<String, String>,
    /// The OCI image manifest whose layers make the root file system.
    pub image: Digest,
    /// Program and arguments; the program is looked up in the container's `PATH`.
    pub command: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub env: BTreeMap<String, String>,
    pub working_dir: String,
    /// Host name inside.
    pub hostname: String,
    /// User id inside.
    pub user: u32,
    /// Group id inside; `None`: the same number as the user's.
    #[serde(default)]
    pub group: Option<u32>,
    #[serde(default)]
    pub power: Power,
    pub limits: Limits,
    pub terminal: Terminal,
    /// Directories of the host that appear inside.
    pub mounts: Vec<Mount>,
    /// File systems of their own that outlive the container.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// The address that it has; `None` for any that is free. Nobody else may have it.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// Other containers' TCP ports that it may connect to, whether they are there yet or not.
    #[serde(default)]
    pub reach: Vec<SocketAddrV4>,
    /// A TCP port to watch: [`Status::Running::listening`] turns true once something listens on it.
    pub watch_port: Option<u16>,
    /// Killed after this long, whatever it does; kept even while no server runs.
    pub time_limit: Option<Duration>,
}

/// What the container's processes may do to its own files, whoever they run as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// What any user may: no capabilities, and no way to get any. For all that is an app's.
    #[default]
    Plain,
    /// What installing packages of the operating system takes: to own, give away and overwrite
    /// files, and to become another user; all of it inside of the container's user namespace only.
    /// For programs that come from the stack, never for an app's.
    Packages,
    /// What building images takes: the above, to mount and to enter another root, all of it inside of
    /// the container's own namespaces. Programs that an app's Dockerfile runs are kept in less by
    /// whoever builds; they may get at this much, so nothing of the host's may be mounted writable.
    Images,
}

/// What a container may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes that the container sees as its memory size (R14 above it).
    pub memory: u64,
    /// Bytes at which the kernel kills it (R15); at least `memory`.
    pub memory_max: u64,
    /// Relative CPU weight: 100 for one share.
    pub cpu_weight: u32,
    /// Thousandths of one CPU at most; `None` for no cap.
    pub cpu_millis: Option<u32>,
    /// Processes and threads.
    pub pids: u32,
    /// Bytes that may be written to the container's own file system.
    pub disk: u64,
}

/// What the container's standard streams are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Terminal {
    /// No input; output is kept and read with [`Engine::output`].
    Log,
    /// One client attaches with [`Engine::attach`] and gets both directions raw; the program
    /// starts when it has. Through a pseudo-terminal of this size.
    Pty { columns: u16, rows: u16 },
    /// As `Pty`, but plain pipes: standard error is merged into the output.
    Pipes,
}

/// A directory of the host inside a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub source: PathBuf,
    /// Absolute path inside.
    pub target: String,
    pub read_only: bool,
}

/// A file system that a container keeps its data in, and that is there when the next one comes. At
/// most one container has it at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The file that holds it; made, with an empty file system, if it is missing.
    pub image: PathBuf,
    /// Bytes. One that has become smaller than that is grown; none is ever shrunk.
    pub size: u64,
    /// Absolute path inside.
    pub target: String,
    /// User and group, as numbered inside, that a new file system belongs to.
    pub owner: u32,
}

/// What an engine sees of one container.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub id: ContainerId,
    pub labels: BTreeMap<String, String>,
    pub status: Status,
    /// Where the container can be reached from this host, once it has a network.
    pub address: Option<IpAddr>,
    pub usage: Usage,
}

/// The life of a container.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Being set up.
    Creating,
    /// Set up; with a terminal it waits for its client.
    AwaitingClient,
    Running {
        since: Timestamp,
        /// Something accepts connections on `watch_port`.
        listening: bool,
    },
    Exited {
        /// When it was launched, if it ever was.
        since: Option<Timestamp>,
        at: Timestamp,
        exit: Exit,
    },
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// As a shell reports it: the exit code, or 128 plus the signal.
    pub code: i32,
    /// The kernel killed it for its memory.
    pub out_of_memory: bool,
    /// Its time limit ran out.
    pub timed_out: bool,
    /// It had to be killed after the grace period of [`Engine::stop`].
    pub killed: bool,
    /// It could not be set up or launched; the text says why.
    pub failure: Option<String>,
}

/// What a container uses now. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    pub memory_rss: u64,
    pub memory_cache: u64,
    pub memory_swap: u64,
    /// Nanoseconds of CPU since the start.
    pub cpu_nanos: u64,
    pub pids: u64,
}

/// One piece of what a container printed. Lines are cut at 10,000 bytes and carry no line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLine {
    /// Counts from 1 for each container; grows by one each line, so that a reader that comes back
    /// knows where it was.
    pub sequence: u64,
    pub time: Timestamp,
    pub content: OutputContent,
}

/// A line, or a note that lines are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputContent {
    Line(Bytes),
    /// The buffer was full and this many lines were dropped here.
    Dropped(u64),
}

/// Both directions of an attached container.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Why an engine could not do something.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("no container {0}")]
    NotFound(ContainerId),
    #[error("container {0} is not waiting for a client")]
    NotAttachable(ContainerId),
    #[error("image {0} is not in the image store")]
    NoImage(Digest),
    #[error("{doing}")]
    System {
        doing: String,
        #[source]
        source: std::io::Error,
    },
}

/// Runs containers.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Starts a container and returns once it is on its way; a second call with the same id does
    /// nothing. A container that cannot be set up shows as [`Status::Exited`] with a `failure`,
    /// but an error is returned when not even that could be recorded.
    async fn start(&self, spec: ContainerSpec) -> Result<(), EngineError>;

    /// Sends SIGTERM to every process of the container, and SIGKILL after `grace`. Returns at once;
    /// both happen even if this server process ends. Stopping what has exited does nothing.
    async fn stop(&self, id: ContainerId, grace: Duration) -> Result<(), EngineError>;

    /// Frees everything an exited container holds: root, output, network. One that is not known
    /// is no error. A running container is killed first.
    async fn remove(&self, id: ContainerId) -> Result<(), EngineError>;

    /// All containers, running or exited, that were not removed.
    async fn observe(&self) -> Result<Vec<Observation>, EngineError>;

    /// One container.
    async fn observe_one(&self, id: ContainerId) -> Result<Observation, EngineError>;

    /// Counts up whenever an observation may have changed; for waking whoever plans.
    fn changes(&self) -> tokio::sync::watch::Receiver<u64>;

    /// The lines after `after` (0 for all), then new ones as they come. The channel closes when
    /// the container has exited and everything was delivered.
    async fn output(&self, id: ContainerId, after: u64) -> Result<mpsc::Receiver<OutputLine>, EngineError>;

    /// Tells that the lines up to `sequence` are kept elsewhere and their space may be reused.
    async fn acknowledge(&self, id: ContainerId, sequence: u64) -> Result<(), EngineError>;

    /// Becomes the one client of a container with a terminal. Closing the stream hangs up: the
    /// container gets SIGHUP.
    async fn attach(&self, id: ContainerId) -> Result<Box<dyn Duplex>, EngineError>;

    /// Waits until the container has exited.
    async fn wait(&self, id: ContainerId) -> Result<Exit, EngineError> {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            if let Status::Exited { exit, .. } = self.observe_one(id).await?.status {
                return Ok(exit);
            }
            // A second's pause bounds what a lost wake-up can cost.
            let _ = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
        }
    }
}
