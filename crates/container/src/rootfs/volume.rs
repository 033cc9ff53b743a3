//! Volumes: file systems that outlive containers.
//!
//! Like the writable layer, a volume is an ext4 file system in a sparse file behind a loop device,
//! mounted in the shim's mount namespace and gone from there with it. Unlike that layer it is made to
//! last: it has a journal, and what a program has synced is on the host's disk. When the file system
//! is found damaged it turns read-only, so that a database stops instead of going on with it.

use super::disk::run_tool;
use super::idmap::Mapping;
use super::loop_device::{self, BLOCK};
use super::place::{self, Owner};
use crate::error::{Doing, Failure};
use crate::sys::{self, MountChange};
use engine::Volume;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// ext4 with a journal cannot be made much smaller.
const SMALLEST: u64 = 32 << 20;

/// How long the kernel is given to let go of what an earlier container had.
const LET_GO: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Makes a volume appear inside. Nobody else gets it as long as it is mounted.
pub(super) fn mount(
    root: &OwnedFd,
    volume: &Volume,
    shift: Option<&Mapping>,
    owner: Owner,
) -> Result<(), Failure> {
    let step = || format!("mount the volume {}", volume.image.display());
    let image = open(volume).doing(step())?;
    let device = loop_device::bind(&image).doing(step())?;
    let ext4 = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC).doing(step())?;
    fsconfig_set_string(ext4.as_fd(), "source", device.path.as_path()).doing(step())?;
    fsconfig_set_string(ext4.as_fd(), "errors", "remount-ro").doing(step())?;
    fsconfig_set_flag(ext4.as_fd(), "discard").doing(step())?;
    fsconfig_create(ext4.as_fd()).doing(step())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOATIME;
    let tree = fsmount(ext4.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).doing(step())?;
    let change = MountChange {
        no_suid: true,
        no_devices: true,
        idmap: shift.map(AsFd::as_fd),
        ..MountChange::default()
    };
    sys::change_mount(tree.as_fd(), change).doing(step())?;
    let target = place::ensure_directory(root, &volume.target, owner)?;
    place::attach(&tree, &target).doing(step())
}

/// Opens the file, made and large enough, for this process alone.
fn open(volume: &Volume) -> io::Result<File> {
    let size = volume.size.max(SMALLEST).next_multiple_of(BLOCK.into());
    if !volume.image.exists() {
        make(&volume.image, size, volume.owner)?;
    }
    let image = File::options().read(true).write(true).open(&volume.image)?;
    lock(&image)?;
    if file_system_size(&image)? < size {
        grow(&volume.image, &image, size)?;
    }
    Ok(image)
}

/// Takes the file for this process. A loop device holds the file as it was opened, and the lock with
/// it, until the kernel has let go of its mount: a moment longer than the container lives.
fn lock(image: &File) -> io::Result<()> {
    let deadline = Instant::now() + LET_GO;
    loop {
        match rustix::fs::flock(image, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(LOOK_AGAIN),
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another container has it"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the file system itself says: the file may have grown before it when that was cut short.
fn file_system_size(image: &File) -> io::Result<u64> {
    // `s_blocks_count_lo` of the superblock, of blocks of [`BLOCK`]: 16 TB is the most.
    let mut blocks = [0; 4];
    image.read_exact_at(&mut blocks, 1024 + 4)?;
    Ok(u64::from(u32::from_le_bytes(blocks)) * u64::from(BLOCK))
}

/// Makes it whole or not at all.
fn make(image: &Path, size: u64, owner: u32) -> io::Result<()> {
    if let Some(directory) = image.parent() {
        fs::create_dir_all(directory)?;
    }
    let draft = image.with_extension("new");
    let file = File::create(&draft)?;
    file.set_len(size)?;
    let mut command = Command::new("mkfs.ext4");
    command
        .args(["-q", "-F", "-m", "0", "-b", &BLOCK.to_string()])
        .args(["-E", &format!("lazy_itable_init=1,nodiscard,root_owner={owner}:{owner}")])
        .arg(&draft);
    run_tool(command)?;
    file.sync_all()?;
    fs::rename(&draft, image)
}

/// Makes room for more.
fn grow(path: &Path, image: &File, size: u64) -> io::Result<()> {
    // It would not resize what may be damaged.
    let mut check = Command::new("e2fsck");
    check.args(["-f", "-p"]).arg(path);
    run_tool(check)?;
    let mut resize = Command::new("resize2fs");
    resize.arg(path).arg(format!("{}K", size >> 10));
    run_tool(resize)?;
    image.sync_all()
}
