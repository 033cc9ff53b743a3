//! Shifting the owners of files: a user namespace whose only use is its mapping.

use crate::error::{Doing, Failure};
use crate::sys;
use rustix::process::{Signal, pidfd_send_signal};
use std::fs::{self, File};
use std::os::fd::OwnedFd;

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
    let Some((pid, pidfd)) =
        sys::clone_into_namespaces(libc::CLONE_NEWUSER).doing("make a user namespace for the mapping")?
    else {
        // Waits to be killed, holding the namespace.
        loop {
            let _ = sys::wait_for_signal();
        }
    };
    let opened = write_maps(pid, base)
        .and_then(|()| File::open(format!("/proc/{pid}/ns/user")).doing("open the mapping's user namespace"));
    let killed = pidfd_send_signal(&pidfd, Signal::KILL).doing("end the mapping's process");
    if killed.is_ok() {
        let _ = rustix::process::waitid(
            rustix::process::WaitId::PidFd(std::os::fd::AsFd::as_fd(&pidfd)),
            rustix::process::WaitIdOptions::EXITED,
        );
    }
    killed?;
    Ok(opened?.into())
}
