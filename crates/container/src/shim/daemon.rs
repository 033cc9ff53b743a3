//! Leaving the server behind.

use crate::bundle::Paths;
use crate::cgroup::Door;
use crate::error::{Doing, Failure};
use crate::sys::{self, Forked};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

/// Goes on in a new process with a session of its own, no child of the server's and in the group
/// behind `door`; the first one exits. Returns the container's lock, to be kept as long as the
/// container is held, and what was in the way to the group.
pub(super) fn detach(paths: &Paths, door: &Door) -> Result<(File, Vec<String>), Failure> {
    let lock = File::from(sys::take_standard_input().doing("take the lock")?);
    let given = lock.metadata().doing("look at the lock")?;
    let wanted = std::fs::metadata(paths.lock()).doing("look at the container's lock")?;
    if (given.dev(), given.ino()) != (wanted.dev(), wanted.ino()) {
        return Err(io::Error::other("standard input is another file")).doing("take the container's lock");
    }
    let (forked, in_group) = sys::fork_into(door.birthplace()).doing("go into the background")?;
    if let Forked::Parent { .. } = forked {
        sys::exit_now(0);
    }
    let mut warnings = Vec::new();
    if !in_group {
        warnings.extend(door.admit(std::process::id() as i32));
    }
    if let Err(error) = door.enter() {
        warnings.push(format!("the shim could not enter its control groups: {error}"));
    }
    rustix::process::setsid().doing("leave the server's session")?;
    // An OCI runtime's container becomes our child when the runtime exits.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).doing("adopt orphans")?;
    Ok((lock, warnings))
}
