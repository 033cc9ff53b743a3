//! Git over smart HTTP, at `/{app}.git`, by way of the system's `git`.
//!
//! A push runs `git receive-pack`, whose pre-receive hook is Kigo itself: the hook hands the pushed
//! commit to the server over a Unix socket ([`hook`]), the server makes a build of it (`push`) and
//! tails the build's output back, which git shows as `remote:` lines. A ref moves only when the
//! hook says so, hence only after a build that succeeded.
//!
//! This crate refuses to decide who may push, what a build is and where sources are kept: that is
//! asked of a [`Backend`].

mod backend;
mod body;
pub mod hook;
mod hook_socket;
mod http_api;
mod push;
mod receive_pack;
mod repositories;
mod sessions;

pub use backend::{Backend, BackendError, Known, NewBuild, Progress, Pusher, Target};
pub use repositories::{Repositories, RepositoryError};

use hook_socket::HookSocket;
use sessions::Sessions;
use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the git endpoint needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Repositories lie in `git/` below it.
    pub data_dir: PathBuf,
    /// Program and arguments that git runs as pre-receive hook; it must end in
    /// [`hook::pre_receive`]. The program is an absolute path.
    pub hook_command: Vec<OsString>,
    /// Bytes of a pack that a client may push.
    pub max_pack: u64,
    /// Pushes that may run at one time, waiting ones included; others are asked to come back.
    pub max_pushes: usize,
}

impl Config {
    /// The defaults: packs of 1 GiB, 100 pushes at a time.
    pub fn new(data_dir: PathBuf, hook_command: Vec<OsString>) -> Self {
        Self { data_dir, hook_command, max_pack: 1 << 30, max_pushes: 100 }
    }

    /// Makes what is needed on disk and binds the hook's socket.
    pub fn bind(self, backend: Arc<dyn Backend>) -> io::Result<Bound> {
        let repositories = Repositories::open(&self.data_dir)?;
        repositories.install_hook(&self.hook_command)?;
        let socket = HookSocket::bind(repositories.directory())?;
        let state = Git {
            sessions: Arc::new(Sessions::new(self.max_pushes)),
            repositories: Arc::new(repositories),
            backend,
            max_pack: self.max_pack,
            stopping: CancellationToken::new(),
        };
        Ok(Bound { state, socket })
    }
}

/// Ready to serve.
pub struct Bound {
    state: Git,
    socket: HookSocket,
}

impl Bound {
    /// The HTTP endpoint: `/{app}.git/info/refs`, `/{app}.git/git-upload-pack` and
    /// `/{app}.git/git-receive-pack`. Requests answer only while [`run`](Self::run) does.
    pub fn router(&self) -> axum::Router {
        http_api::router(self.state.clone())
    }

    /// Serves hooks until `shutdown`; pushes that wait for a build are then told that it goes on
    /// without them.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let stopping = self.state.stopping.clone();
        tokio::select! {
            () = self.socket.serve(self.state.clone()) => {}
            () = shutdown => stopping.cancel(),
        }
        self.state.sessions.ended().await;
    }
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Git {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) repositories: Arc<Repositories>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) max_pack: u64,
    /// Cancelled when the server is about to end.
    pub(crate) stopping: CancellationToken,
}
