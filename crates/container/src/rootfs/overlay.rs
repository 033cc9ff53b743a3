//! Overlaying the layers.

use super::disk::Writable;
use super::idmap::{self, Mapping};
use super::ids;
use crate::bundle::{Bundle, Ownership, Paths};
use crate::error::{Doing, Failure};
use crate::sys::{self, MountChange};
use rustix::fs::{CWD, Mode};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What became of the ids.
pub(super) struct Overlay {
    /// Host id of the container's 0.
    pub uid_base: u32,
    /// By what mounts are shifted; `None` if nothing is.
    pub shift: Option<Mapping>,
}

/// Mounts the overlay at [`Paths::root`] in the way the bundle wants, or in the best one that works.
pub(super) fn mount(
    bundle: &Bundle,
    paths: &Paths,
    writable: &Writable,
    warnings: &mut Vec<String>,
) -> Result<Overlay, Failure> {
    if bundle.layers.is_empty() {
        return Err(io::Error::other("the image has no layers")).doing("overlay the layers");
    }
    let ways = match bundle.ownership {
        Ownership::Best => &[Ownership::Detached, Ownership::Attached, Ownership::Identity][..],
        Ownership::Detached => &[Ownership::Detached],
        Ownership::Attached => &[Ownership::Attached],
        Ownership::Identity => &[Ownership::Identity],
    };
    let mut refusals = Vec::new();
    for (index, way) in ways.iter().enumerate() {
        let result = match way {
            Ownership::Identity => plain(bundle, paths, writable),
            Ownership::Attached => shifted(bundle, paths, writable, attached),
            Ownership::Best | Ownership::Detached => shifted(bundle, paths, writable, detached),
        };
        match result {
            Ok(overlay) => {
                // A better way that this kernel merely lacks is nothing to warn of.
                if *way == Ownership::Identity {
                    warnings.append(&mut refusals);
                    warnings.push("this container shares its user ids with others".to_owned());
                }
                return Ok(overlay);
            }
            Err(failure) if index + 1 < ways.len() && is_lack(&failure) => refusals.push(failure.story()),
            Err(failure) => return Err(failure),
        }
    }
    Err(io::Error::from(io::ErrorKind::Unsupported)).doing("overlay the layers")
}

/// Whether the kernel says that it cannot do a thing, rather than that something is wrong with it.
fn is_lack(failure: &Failure) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(failure.reason().kind(), InvalidInput | PermissionDenied | Unsupported)
}

type Way = fn(&Bundle, &Paths, &Writable, BorrowedFd<'_>) -> Result<(), Failure>;

fn shifted(bundle: &Bundle, paths: &Paths, writable: &Writable, way: Way) -> Result<Overlay, Failure> {
    writable.give_to(bundle.uid_base)?;
    let shift = idmap::namespace(bundle.uid_base)?;
    way(bundle, paths, writable, shift.as_fd())?;
    Ok(Overlay { uid_base: bundle.uid_base, shift: Some(shift) })
}

/// Layers as detached, shifted trees that are handed to the overlay as file descriptors.
fn detached(
    bundle: &Bundle,
    paths: &Paths,
    writable: &Writable,
    shift: BorrowedFd<'_>,
) -> Result<(), Failure> {
    let step = "overlay the layers as detached mounts";
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).doing(step)?;
    // Uppermost first. They must stay open until the overlay exists.
    let mut trees = Vec::with_capacity(bundle.layers.len());
    for layer in bundle.layers.iter().rev() {
        let tree = shifted_tree(layer, shift)?;
        fsconfig_set_fd(overlay.as_fd(), "lowerdir+", tree.as_fd()).doing(step)?;
        trees.push(tree);
    }
    fsconfig_set_string(overlay.as_fd(), "upperdir", writable.upper()).doing(step)?;
    fsconfig_set_string(overlay.as_fd(), "workdir", writable.work()).doing(step)?;
    fsconfig_set_string(overlay.as_fd(), "source", "kigo").doing(step)?;
    fsconfig_set_flag(overlay.as_fd(), "volatile").doing(step)?;
    fsconfig_create(overlay.as_fd()).map_err(|error| explain(&overlay, error)).doing(step)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
    let mount = fsmount(overlay.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).doing(step)?;
    move_mount(mount.as_fd(), "", CWD, paths.root(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).doing(step)
}

/// Layers as shifted mounts beside the root, overlaid by their paths.
fn attached(
    bundle: &Bundle,
    paths: &Paths,
    writable: &Writable,
    shift: BorrowedFd<'_>,
) -> Result<(), Failure> {
    let step = "overlay the layers as attached mounts";
    for (number, layer) in bundle.layers.iter().enumerate() {
        let point = paths.directory().join(format!("l/{number}"));
        fs::create_dir_all(&point).doing(step)?;
        let tree = shifted_tree(layer, shift)?;
        move_mount(tree.as_fd(), "", CWD, &point, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).doing(step)?;
    }
    let lowers: Vec<_> = (0..bundle.layers.len()).rev().map(|number| format!("l/{number}")).collect();
    classic(&lowers.join(":"), paths, writable).doing(step)
}

/// No shift at all.
fn plain(bundle: &Bundle, paths: &Paths, writable: &Writable) -> Result<Overlay, Failure> {
    let step = "overlay the layers as they are";
    writable.give_to(0)?;
    for (number, layer) in bundle.layers.iter().enumerate() {
        // Bound to short names, because all of them have to fit into one page.
        let point = paths.directory().join(format!("l/{number}"));
        fs::create_dir_all(&point).doing(step)?;
        rustix::mount::mount_bind(layer.as_path(), &point)
            .doing(format!("open the layer {}", layer.display()))?;
    }
    let lowers: Vec<_> = (0..bundle.layers.len()).rev().map(|number| format!("l/{number}")).collect();
    classic(&lowers.join(":"), paths, writable).doing(step)?;
    Ok(Overlay { uid_base: 0, shift: None })
}

/// `mount(2)` with the lower directories relative to the container's directory.
fn classic(lowers: &str, paths: &Paths, writable: &Writable) -> io::Result<()> {
    let back = std::env::current_dir()?;
    std::env::set_current_dir(paths.directory())?;
    let options = format!(
        "volatile,lowerdir={lowers},upperdir={},workdir={}",
        writable.upper().display(),
        writable.work().display()
    );
    let options = std::ffi::CString::new(options)?;
    let flags = MountFlags::NODEV | MountFlags::NOSUID;
    let result = rustix::mount::mount("kigo", paths.root(), "overlay", flags, Some(options.as_c_str()));
    std::env::set_current_dir(back)?;
    Ok(result?)
}

/// A copy of the mount of `layer`, read-only and shifted, attached nowhere.
fn shifted_tree(layer: &Path, shift: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, layer, flags).doing(format!("open the layer {}", layer.display()))?;
    let change = MountChange { read_only: true, idmap: Some(shift), ..MountChange::default() };
    sys::change_mount(tree.as_fd(), change)
        .doing(format!("shift the owners of the layer {}", layer.display()))?;
    Ok(tree)
}

/// Adds what the kernel says about a failed file system configuration.
fn explain(filesystem: &OwnedFd, error: rustix::io::Errno) -> io::Error {
    let mut message = [0; 512];
    let length = rustix::io::read(filesystem, &mut message).unwrap_or(0);
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("{error}: {}", String::from_utf8_lossy(&message[..length]).trim()))
}

impl Writable {
    /// Makes the container's 0 the owner of the writable layer's directories.
    fn give_to(&self, base: u32) -> Result<(), Failure> {
        let (user, group) = ids(base);
        for directory in [self.upper(), self.work()] {
            // A second way of overlaying begins afresh; `volatile` leaves marks in the work directory.
            if directory.exists() {
                fs::remove_dir_all(&directory).doing("empty the writable layer")?;
            }
            rustix::fs::mkdir(&directory, Mode::from_raw_mode(0o755)).doing("make the writable layer")?;
            rustix::fs::chown(&directory, Some(user), Some(group)).doing("give the writable layer away")?;
        }
        Ok(())
    }
}
