//! Leaving the server behind.

use crate::bundle::Paths;
use crate::error::{Doing, Failure};
use crate::sys::{self, Forked};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

/// Goes on in a new process with a session of its own, no child of the server's; the first one
/// exits. Returns the container's lock, to be kept as long as the container is held.
pub(super) fn detach(paths: &Paths) -> Result<File, Failure> {
    let lock = File::from(sys::take_standard_input().doing("take the lock")?);
    let given = lock.metadata().doing("look at the lock")?;
    let wanted = std::fs::metadata(paths.lock()).doing("look at the container's lock")?;
    if (given.dev(), given.ino()) != (wanted.dev(), wanted.ino()) {
        return Err(io::Error::other("standard input is another file")).doing("take the container's lock");
    }
    if let Forked::Parent { .. } = sys::fork().doing("go into the background")? {
        sys::exit_now(0);
    }
    rustix::process::setsid().doing("leave the server's session")?;
    // An OCI runtime's container becomes our child when the runtime exits.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).doing("adopt orphans")?;
    Ok(lock)
}
