//! `/sys`: read-only, and with the one thing of control groups that programs look for.

use super::devices::tmpfs;
use super::place::{self, Owner};
use crate::error::{Doing, Failure};
use crate::sys::{self, MountChange};
use engine::Limits;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
};
use std::os::fd::{AsFd, OwnedFd};

/// What tells of the machine rather than the container. The second one counts its energy, from
/// which a program can guess what others compute (CVE-2020-8694).
const HIDDEN: [&str; 2] = ["sys/firmware", "sys/devices/virtual/powercap"];

/// Mounts `/sys` of the network namespace the caller is in.
///
/// `/sys/fs/cgroup` shows the memory quota where Heroku's dynos have it (version 1's path, from
/// which buildpacks size their worker counts and heaps), and where version 2 has it.
pub(super) fn mount(root: &OwnedFd, limits: &Limits, owner: Owner) -> Result<(), Failure> {
    let step = "set up /sys";
    let harmless = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let filesystem = fsopen("sysfs", FsOpenFlags::FSOPEN_CLOEXEC).doing(step)?;
    fsconfig_set_string(filesystem.as_fd(), "source", "sysfs").doing(step)?;
    fsconfig_create(filesystem.as_fd()).doing(step)?;
    let flags = harmless | MountAttrFlags::MOUNT_ATTR_RDONLY;
    let system = fsmount(filesystem.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags).doing(step)?;
    place::attach(&system, place::ensure_directory(root, "sys", owner)?).doing(step)?;

    let groups = tmpfs("755", "64k", harmless).doing(step)?;
    owner.take(&groups).doing(step)?;
    if let Ok(target) = place::directory(root, "sys/fs/cgroup") {
        place::attach(&groups, &target).doing(step)?;
        let quota = format!("{}\n", limits.memory);
        for (directory, file) in [
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("sys/fs/cgroup/memory", "memory.soft_limit_in_bytes"),
            ("sys/fs/cgroup", "memory.max"),
            ("sys/fs/cgroup", "memory.high"),
        ] {
            place::write_file(root, directory, file, &quota, owner)?;
        }
        let read_only = MountChange { read_only: true, ..MountChange::default() };
        sys::change_mount(groups.as_fd(), read_only).doing(step)?;
    }
    for hidden in HIDDEN {
        if let Ok(target) = place::directory(root, hidden) {
            let empty = tmpfs("555", "4k", flags).doing(step)?;
            place::attach(&empty, &target).doing(step)?;
        }
    }
    Ok(())
}
