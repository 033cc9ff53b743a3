//! Shifting the owners of files: a user namespace whose only use is its mapping.

use crate::error::{Doing, Failure};
use crate::sys::{self, Cloned};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitId, WaitIdOptions};
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};

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

/// A user namespace with that mapping. The process it takes to make one is gone on return.
pub(super) fn namespace(base: u32) -> Result<OwnedFd, Failure> {
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
    let opened = write_maps(pid, base)
        .and_then(|()| File::open(format!("/proc/{pid}/ns/user")).doing("open the mapping's user namespace"));
    drop(write);
    rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)
        .doing("end the mapping's process")?;
    Ok(opened?.into())
}
