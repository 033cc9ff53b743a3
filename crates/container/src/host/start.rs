//! Starting a container: first its shim, then, when all else is there, the container.

use super::remains::exclusive;
use super::{Doing, Host, HostError};
use crate::bundle::{Bundle, Network, Paths};
use crate::state::{self, Ended};
use crate::stem::{Call, READY};
use engine::{ContainerId, ContainerSpec, Exit};
use jiff::Timestamp;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::{self, File};
use std::io;
use std::net::Shutdown;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use tokio::io::AsyncReadExt;

/// A shim that gets ready for a container. If this is dropped, the shim ends.
pub struct Begun {
    paths: Paths,
    lock: File,
    /// The server's end of the shim's line, or why there is no shim.
    line: io::Result<UnixStream>,
}

impl Host {
    /// Makes the container's directory and begins its shim there, without making it a container yet:
    /// that does [`Host::start`]. Meanwhile a caller can put the network namespace into the directory
    /// ([`Paths::namespace`]). `disk` is the limit of the container's disk in bytes. `None` if the
    /// container was begun already.
    pub fn begin(&self, id: ContainerId, disk: u64) -> Result<Option<Begun>, HostError> {
        let paths = self.paths(id);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(paths.directory())
            .doing("make the container's directory")?;
        let lock =
            File::options().create(true).append(true).open(paths.lock()).doing("open the shim's lock")?;
        if fcntl(&lock, FcntlArg::F_OFD_SETLK(&exclusive())).is_err() {
            // Somebody began it already, perhaps this moment.
            return Ok(None);
        }
        if paths.spec().exists() {
            return Ok(None);
        }
        let log = File::options().create(true).append(true).open(paths.log()).doing("open the shim's log")?;
        let call = Call { directory: paths.directory().to_owned(), disk };
        let line = self.stem.call(&call, &lock, &log);
        Ok(Some(Begun { paths, lock, line }))
    }

    /// Makes what was begun a container, of `spec` over `layers` (lowest first), and returns when it
    /// is on its way. What goes wrong from here on is found by [`Host::observe`].
    pub async fn start(
        &self,
        begun: Begun,
        spec: ContainerSpec,
        layers: Vec<PathBuf>,
        network: Option<Network>,
    ) -> Result<(), HostError> {
        let id = spec.id;
        let Begun { paths, lock, line } = begun;
        let bundle = Bundle {
            uid_base: self.take_users(id)?,
            spec,
            layers,
            network,
            cgroup_parent: self.config.cgroup_parent.clone(),
            spool_limit: self.config.spool_limit,
            ownership: self.config.ownership,
            runtime: self.config.runtime.clone(),
        };
        if let Err(error) = state::write_json(&paths.spec(), &bundle).doing("write the container's spec") {
            self.release_users(id);
            return Err(error);
        }
        let ready = match line {
            Ok(line) => let_go(line).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ready {
            let failure = Some(format!("the shim could not be started: {error}"));
            let exit = Exit { code: 128, out_of_memory: false, timed_out: false, killed: false, failure };
            let ended = Ended { since: None, at: Timestamp::now(), exit, last_sequence: 0 };
            state::write_json(&paths.exit(), &ended).doing("record that the shim could not be started")?;
        }
        // The shim has the lock as well: it is held without a gap from before the container was known
        // until the shim is gone.
        drop(lock);
        Ok(())
    }

    /// Both at once. A second call for the same container does nothing.
    pub async fn spawn(
        &self,
        spec: ContainerSpec,
        layers: Vec<PathBuf>,
        network: Option<Network>,
    ) -> Result<(), HostError> {
        match self.begin(spec.id, spec.limits.disk)? {
            Some(begun) => self.start(begun, spec, layers, network).await,
            None => Ok(()),
        }
    }
}

/// Lets a shim go on with the spec that was written, and returns when it can be connected to.
async fn let_go(line: UnixStream) -> io::Result<()> {
    line.shutdown(Shutdown::Write)?;
    line.set_nonblocking(true)?;
    let mut line = tokio::net::UnixStream::from_std(line)?;
    let mut word = [0; READY.len()];
    match line.read_exact(&mut word).await {
        Ok(_) if word == READY => Ok(()),
        Ok(_) => {
            let mut story = word.to_vec();
            line.read_to_end(&mut story).await?;
            Err(io::Error::other(String::from_utf8_lossy(&story).into_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(io::Error::other("it ended without a word"))
        }
        Err(error) => Err(error),
    }
}
