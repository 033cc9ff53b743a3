//! `/dev`: the devices every program expects, and no way to reach another.

use super::place::{self, Owner};
use crate::error::{Doing, Failure};
use rustix::fs::{CWD, FileType, Mode, OFlags, makedev};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen, open_tree,
};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Name, major and minor number (Linux, Documentation/admin-guide/devices.txt).
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Mounts `/dev` and `/dev/shm`. `/dev/pts` stays an empty directory for the launcher to mount.
pub(super) fn mount(root: &OwnedFd, owner: Owner) -> Result<(), Failure> {
    let step = "set up /dev";
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let devices = tmpfs("755", "64k", flags).doing(step)?;
    owner.take(&devices).doing(step)?;
    place::attach(&devices, place::ensure_directory(root, "dev", owner)?).doing(step)?;
    for (name, major, minor) in DEVICES {
        device(&devices, name, major, minor, owner).doing(format!("make /dev/{name}"))?;
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &devices, name).doing(step)?;
        owner.take_at(&devices, name).doing(step)?;
    }
    place::ensure_directory(root, "dev/pts", owner)?;
    let shared = place::ensure_directory(root, "dev/shm", owner)?;
    let memory = tmpfs("1777", "64m", flags | MountAttrFlags::MOUNT_ATTR_NODEV).doing(step)?;
    owner.take(&memory).doing(step)?;
    place::attach(&memory, &shared).doing(step)
}

fn device(devices: &OwnedFd, name: &str, major: u32, minor: u32, owner: Owner) -> io::Result<()> {
    let mode = Mode::from_raw_mode(0o666);
    match rustix::fs::mknodat(devices, name, FileType::CharacterDevice, mode, makedev(major, minor)) {
        Ok(()) => {
            // The umask took its part of the mode.
            rustix::fs::chmodat(devices, name, mode, rustix::fs::AtFlags::empty())?;
            Ok(owner.take_at(devices, name)?)
        }
        // Kigo itself in a container that may not make devices: use those there are.
        Err(Errno::PERM) => {
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            let target = rustix::fs::openat(devices, name, flags, mode)?;
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let tree = open_tree(CWD, format!("/dev/{name}"), flags)?;
            Ok(place::attach(&tree, &target)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// A file system in memory, attached nowhere yet. What is written to it counts as the writer's
/// memory.
pub(super) fn tmpfs(mode: &str, size: &str, flags: MountAttrFlags) -> rustix::io::Result<OwnedFd> {
    let filesystem = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(filesystem.as_fd(), "source", "tmpfs")?;
    fsconfig_set_string(filesystem.as_fd(), "mode", mode)?;
    fsconfig_set_string(filesystem.as_fd(), "size", size)?;
    fsconfig_create(filesystem.as_fd())?;
    fsmount(filesystem.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)
}
