//! The root file system of a container: the image's layers and a writable one, overlaid; devices,
//! `/sys` and the host directories the caller wants inside.
//!
//! All of it is mounted in the shim's own mount namespace, before the container's processes exist.
//! When shim and container are gone, so are the mounts, whoever died how; there is nothing to
//! unmount. Paths that come from an image are resolved with the container's root as root, and
//! symbolic links in the way of a mount are refused: an image must not choose where on the host
//! something is mounted or written.

mod devices;
mod disk;
mod idmap;
mod loop_device;
mod overlay;
mod place;
mod system;
mod volume;

pub(crate) use disk::Disk;
pub(crate) use idmap::{RANGE, write_maps};
pub(crate) use place::{attach, directory};

use crate::bundle::{Bundle, Paths};
use crate::error::{Doing, Failure};
use engine::Power;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use std::io;
use std::os::fd::OwnedFd;

/// Where a container with the power over images may overlay their layers: in no other directory of its
/// own, for overlays cannot be written over each other.
const IMAGES: &str = "var/lib/containers";

/// A root file system, mounted and complete but for what must be made inside (`/proc`, terminals).
pub(crate) struct Root {
    /// Its top directory.
    pub directory: OwnedFd,
    /// Host id of the container's 0. What the bundle says, or 0 where the kernel cannot shift.
    pub uid_base: u32,
    pub warnings: Vec<String>,
}

/// Builds the root of `bundle` at [`Paths::root`]. The caller must be in a mount namespace of its
/// own and in the container's network namespace, whose devices `/sys` is to show.
pub(crate) fn build(bundle: &Bundle, paths: &Paths, disk: Disk) -> Result<Root, Failure> {
    let mut warnings = Vec::new();
    std::fs::create_dir_all(paths.root()).doing("make the root's mount point")?;
    let writable = disk.attach(paths)?;
    let overlay = overlay::mount(bundle, paths, &writable, &mut warnings)?;
    if bundle.spec.power == Power::Images && overlay.shift.is_none() {
        // Its root would be the host's, and could uncover what is mounted over the host's settings.
        let why = "this kernel cannot give a container user ids of its own (it takes Linux 5.19)";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why)).doing("give the power over images");
    }
    let directory =
        rustix::fs::open(paths.root(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .doing("open the root")?;
    let owner = place::Owner::of_base(overlay.uid_base);
    devices::mount(&directory, owner)?;
    system::mount(&directory, &bundle.spec.limits, owner)?;
    place::ensure_directory(&directory, "proc", owner)?;
    if bundle.spec.power == Power::Images {
        place::lend(&directory, &writable.plain(), IMAGES, owner)?;
    }
    for mount in &bundle.spec.mounts {
        place::bind(&directory, mount, overlay.shift.as_ref(), owner)?;
    }
    for volume in &bundle.spec.volumes {
        volume::mount(&directory, volume, overlay.shift.as_ref(), owner)?;
    }
    etc(bundle, &directory, owner)?;
    Ok(Root { directory, uid_base: overlay.uid_base, warnings })
}

/// The files of `/etc` that are about this container and not about its image.
fn etc(bundle: &Bundle, root: &OwnedFd, owner: place::Owner) -> Result<(), Failure> {
    place::ensure_directory(root, "etc", owner)?;
    place::ensure_directory(root, "tmp", owner)?;
    place::write_file(root, "etc", "hostname", &format!("{}\n", bundle.spec.hostname), owner)?;
    if let Some(network) = &bundle.network {
        place::write_file(root, "etc", "resolv.conf", &network.resolv_conf, owner)?;
        place::write_file(root, "etc", "hosts", &network.hosts, owner)?;
    }
    Ok(())
}

/// A user as the host numbers it.
pub(crate) fn user(id: u32) -> Uid {
    Uid::from_raw(id)
}

/// A group as the host numbers it.
pub(crate) fn group(id: u32) -> Gid {
    Gid::from_raw(id)
}

/// User and group of the container's 0, as the host numbers them.
pub(crate) fn ids(base: u32) -> (Uid, Gid) {
    (Uid::from_raw(base), Gid::from_raw(base))
}
