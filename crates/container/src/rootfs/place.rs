//! Putting files and mounts into a root whose content nobody trusts.

use super::idmap::Mapping;
use super::ids;
use crate::error::{Doing, Failure};
use crate::sys::{self, MountChange};
use engine::Mount;
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Who owns what is made: the container's 0.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    user: Uid,
    group: Gid,
}

impl Owner {
    pub(super) fn of_base(base: u32) -> Self {
        let (user, group) = ids(base);
        Self { user, group }
    }

    /// Also of what is open as a path only, like a fresh mount.
    pub(super) fn take(self, file: impl AsFd) -> rustix::io::Result<()> {
        rustix::fs::chownat(file, "", Some(self.user), Some(self.group), AtFlags::EMPTY_PATH)
    }

    pub(super) fn take_at(self, directory: impl AsFd, name: &str) -> rustix::io::Result<()> {
        rustix::fs::chownat(directory, name, Some(self.user), Some(self.group), AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// Opens the directory `path` of the root, without following any symbolic link.
pub(crate) fn directory(root: impl AsFd, path: &str) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat2(
        root,
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS,
    )
}

/// As [`directory`], making what is missing on the way.
pub(super) fn ensure_directory(root: &OwnedFd, path: &str, owner: Owner) -> Result<OwnedFd, Failure> {
    let step = || format!("make the directory /{} inside", path.trim_start_matches('/'));
    let mut current = directory(root, ".").doing(step())?;
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return Err(io::Error::from(io::ErrorKind::InvalidInput)).doing(step());
        }
        match rustix::fs::mkdirat(&current, part, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                owner.take_at(&current, part).doing(step())?;
                if path == "tmp" {
                    let mode = Mode::from_raw_mode(0o1777);
                    rustix::fs::chmodat(&current, part, mode, AtFlags::empty()).doing(step())?;
                }
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error).doing(step()),
        }
        current = directory(&current, part).doing(step())?;
    }
    Ok(current)
}

/// Writes a file, replacing what is there, also if that is a link to somewhere.
pub(super) fn write_file(
    root: &OwnedFd,
    parent: &str,
    name: &str,
    content: &str,
    owner: Owner,
) -> Result<(), Failure> {
    let step = || format!("write /{parent}/{name} inside");
    let parent = ensure_directory(root, parent, owner)?;
    match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error).doing(step()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)).doing(step())?;
    owner.take(&file).doing(step())?;
    File::from(file).write_all(content.as_bytes()).doing(step())
}

/// Attaches a detached mount to what `target` refers to.
pub(crate) fn attach(mount: impl AsFd, target: impl AsFd) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount.as_fd(), "", target.as_fd(), "", flags)
}

/// Makes the new directory `source` of the container's own disk appear inside.
pub(super) fn lend(root: &OwnedFd, source: &Path, target: &str, owner: Owner) -> Result<(), Failure> {
    let step = || format!("lend a directory to /{target} inside");
    std::fs::create_dir(source).doing(step())?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, source, flags).doing(step())?;
    owner.take(&tree).doing(step())?;
    attach(&tree, ensure_directory(root, target, owner)?).doing(step())
}

/// Makes a directory (or a file) of the host appear inside, owners shifted like the layers'.
pub(super) fn bind(
    root: &OwnedFd,
    mount: &Mount,
    shift: Option<&Mapping>,
    owner: Owner,
) -> Result<(), Failure> {
    let step = || format!("bind {} to {} inside", mount.source.display(), mount.target);
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, &mount.source, flags).doing(step())?;
    let change = MountChange {
        read_only: mount.read_only,
        no_suid: true,
        no_devices: true,
        idmap: shift.map(AsFd::as_fd),
        ..MountChange::default()
    };
    sys::change_mount(tree.as_fd(), change).doing(step())?;
    let is_directory = std::fs::metadata(&mount.source).doing(step())?.is_dir();
    let target = if is_directory {
        ensure_directory(root, &mount.target, owner)?
    } else {
        let (parent, name) = mount.target.rsplit_once('/').unwrap_or(("", &mount.target));
        write_file(root, parent, name, "", owner)?;
        let parent = ensure_directory(root, parent, owner)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&parent, name, flags, Mode::empty()).doing(step())?
    };
    attach(&tree, &target).doing(step())
}
