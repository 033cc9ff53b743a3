//! The process that shims are forked from.
//!
//! It is Kigo's binary, started once by the server and then waiting for its calls. A fork of it is
//! a shim that is loaded and linked already, and shares with all others the memory that this took:
//! two milliseconds and most of a megabyte for each. It sets nothing up and reads no file of a
//! container. It ends with the server; its forks do not.

use crate::bundle::Paths;
use crate::cgroup::{self, Door, Group, Hierarchies};
use crate::error::{Doing, Failure};
use crate::stem::{self, Call, Files, Line};
use crate::sys;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// A shim that has just been forked.
pub(super) struct Forked {
    pub paths: Paths,
    /// Size of the container's disk in bytes.
    pub disk: u64,
    pub hierarchies: Hierarchies,
    /// To be kept for as long as the container is held.
    pub lock: File,
    pub line: Line,
    pub warnings: Vec<String>,
    /// Until it is detached.
    way: Option<Way>,
}

/// What a shim needs to get from where it was born to where it lives.
struct Way {
    log: OwnedFd,
    door: Door,
    /// It was born in the group behind the door.
    in_group: bool,
}

/// Forks shims, as called for on `socket`. Returns in each of them; and `None` when the server is
/// gone.
pub(super) fn serve(socket: OwnedFd, parent: &str) -> Result<Option<Forked>, Failure> {
    let hierarchies = Hierarchies::detect().doing("find this machine's control groups")?;
    rustix::thread::set_name(c"kigo-shim").doing("take a name")?;
    // Nobody here waits for a shim's end.
    sys::reap_automatically(true);
    while let Some((Call { directory, disk }, Files { lock, log, line })) =
        stem::receive(&socket).doing("hear the server")?
    {
        let (line, paths) = (Line::new(line), Paths::new(directory));
        let shims = Group::new(hierarchies.clone(), parent, cgroup::SHIMS);
        let (door, warnings) = shims.door_for_shim();
        match sys::fork_into(door.birthplace()) {
            Ok((sys::Forked::Parent { .. }, _)) => {}
            Ok((sys::Forked::Child, in_group)) => {
                // Calls are for the stem to hear.
                drop(socket);
                let way = Some(Way { log, door, in_group });
                let lock = lock.into();
                return Ok(Some(Forked { paths, disk, hierarchies, lock, line, warnings, way }));
            }
            Err(error) => line.fail(&format!("the shim could not be forked: {error}")),
        }
    }
    Ok(None)
}

impl Forked {
    /// Leaves the server behind: a session of its own, and the group that shims are in, so that
    /// nobody who ends the server ends the shim as well.
    pub(super) fn detach(&mut self) -> Result<(), Failure> {
        sys::reap_automatically(false);
        let Some(Way { log, door, in_group }) = self.way.take() else { return Ok(()) };
        for stream in [1, 2] {
            sys::redirect(log.as_fd(), stream).doing("take the log")?;
        }
        // Whoever looks for the shim of a container finds it by this; a name is nothing to fail for.
        let id = self.paths.directory().file_name().unwrap_or_default();
        let _ = sys::replace_arguments(&format!("kigo shim {}", id.display()));
        let given = self.lock.metadata().doing("look at the lock")?;
        let wanted = std::fs::metadata(self.paths.lock()).doing("look at the container's lock")?;
        if (given.dev(), given.ino()) != (wanted.dev(), wanted.ino()) {
            return Err(io::Error::other("it is another file")).doing("take the container's lock");
        }
        if !in_group {
            self.warnings.extend(door.admit(std::process::id() as i32));
        }
        if let Err(error) = door.enter() {
            self.warnings.push(format!("the shim could not enter its control groups: {error}"));
        }
        rustix::process::setsid().doing("leave the server's session")?;
        // An OCI runtime's container becomes our child when the runtime exits.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).doing("adopt orphans")
    }
}
