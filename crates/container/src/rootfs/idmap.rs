//! Shifting the owners of files: a user namespace whose only use is its mapping.

use crate::error::{Doing, Failure};
use crate::sys::{self, Cloned};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitId, WaitIdOptions};
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How many ids a container has.
pub(crate) const RANGE: u32 = 65_536;

/// Maps ids 0..65535 inside to `base`.. outside for the process `pid`.
pub(crate) fn write_maps(pid: i32, base: u32) -> Result<(), Failure> {
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{pid}/{map}"), format!("0 {base} {RANGE}\n"))
            .doing(format!("write the container's {map}"))?;
    }
    Ok(())
}

/// A user namespace with a mapping.
pub(super) struct Mapping {
    namespace: OwnedFd,
    _process: Ending,
}

/// The process that it took to make a namespace. Nobody waits for its end before there is nothing
/// else to do.
struct Ending(OwnedFd);

impl AsFd for Mapping {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Fails only if it is no child of ours.
        let _ = rustix::process::waitid(WaitId::PidFd(self.0.as_fd()), WaitIdOptions::EXITED);
    }
}

/// A user namespace with the mapping to `base`.
pub(super) fn namespace(base: u32) -> Result<Mapping, Failure> {
    let step = "make a user namespace for the mapping";
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).doing(step)?;
    let Some(Cloned { pid, pidfd, .. }) =
        sys::clone_into_namespaces(libc::CLONE_NEWUSER, None).doing(step)?
    else {
        // Holds the namespace until the shim lets go of the pipe, or is gone; and nothing else,
        // above all not the container's lock.
        let _ = sys::close_all_but(&[read.as_fd()]);
        let _ = rustix::io::read(&read, &mut [0]);
        sys::exit_now(0)
    };
    let process = Ending(pidfd);
    let opened = write_maps(pid, base)
        .and_then(|()| File::open(format!("/proc/{pid}/ns/user")).doing("open the mapping's user namespace"));
    drop(write);
    Ok(Mapping { namespace: opened?.into(), _process: process })
}
