//! Whether a shim still is, and what is left when it is not.

use super::{Doing, HostError};
use crate::bundle::Paths;
use crate::cgroup::Group;
use crate::state::{self, State};
use engine::{ContainerId, Exit, Status};
use jiff::Timestamp;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Whether a shim, or a server about to start one, holds the container's lock.
pub(super) fn shim_lives(paths: &Paths) -> Result<bool, HostError> {
    let file = match File::open(paths.lock()) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).doing("open the shim's lock"),
    };
    // Asks only; taking the lock for a moment could be in a spawn's way.
    let mut held = exclusive();
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut held)).doing("test the shim's lock")?;
    Ok(i32::from(held.l_type) != libc::F_UNLCK)
}

/// The lock of a container: on its open file, so that it passes from the server to the shim and
/// ends with whoever of them has the file open last (`F_OFD_SETLK`, fcntl(2)).
pub(super) fn exclusive() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// A container whose shim is gone without having said how it ended: the machine went down, or
/// somebody killed the shim, and the kernel killed the container with it.
pub(super) fn died(paths: &Paths, state: Option<&State>) -> Status {
    // Every look must give the same time: that of the last sign of life.
    let sign =
        fs::metadata(paths.state()).or_else(|_| fs::metadata(paths.spec())).and_then(|file| file.modified());
    let at = sign.ok().and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default();
    let failure = Some("its shim is gone without a word; the machine may have gone down".to_owned());
    let exit = Exit { code: 137, out_of_memory: false, timed_out: false, killed: false, failure };
    Status::Exited { since: state.and_then(|state| state.since), at, exit }
}

/// Kills a shim that does not end by itself. The kernel kills the container's init with the shim.
pub(super) fn kill_shim(id: ContainerId, paths: &Paths) -> Result<(), HostError> {
    let step = || format!("kill the shim of container {id}");
    let Some(state) = state::read_json::<State>(&paths.state()).doing(step())? else { return Ok(()) };
    let Some(pid) = rustix::process::Pid::from_raw(state.shim) else { return Ok(()) };
    let Ok(pidfd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
        return Ok(());
    };
    // Only while the lock is held is the number surely the shim's.
    if shim_lives(paths)? {
        rustix::process::pidfd_send_signal(pidfd, rustix::process::Signal::KILL).doing(step())?;
    }
    Ok(())
}

/// What a shim leaves behind, also one that was killed.
pub(super) fn remove_remains(group: &Group, directory: &Path) -> Result<(), HostError> {
    let patience = Duration::from_secs(5);
    group.kill_all(patience).doing("kill what is left of the container")?;
    group.remove(patience).doing("remove the container's control groups")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").doing("list this machine's mounts")?;
    // Deepest first: later lines may be mounted upon earlier ones.
    for line in mounts.lines().rev() {
        let Some(point) = line.split(' ').nth(4).map(PathBuf::from) else { continue };
        if point.starts_with(directory) {
            rustix::mount::unmount(&point, rustix::mount::UnmountFlags::DETACH)
                .doing(format!("unmount {}", point.display()))?;
        }
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).doing(format!("remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}
