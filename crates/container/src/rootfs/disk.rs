//! The writable layer and its limit.
//!
//! The limit is a file system of that size in a sparse file: the kernel enforces it whatever the
//! container does, it needs neither quota support nor mount options of the host's file system, and
//! deleting a container's files is one unlink. ext4 without a journal, and without flushing the
//! host's disk for it: the content does not outlive the container. Freed blocks go back to the host
//! (`discard`).
//!
//! A freshly made one is kept per size and copied (150 kB, whatever the size), which costs less than
//! making it anew. It is copied to the device and not to the file behind: so it is in the device's
//! cache when the kernel mounts it, which else would wait for the host's disk, block by block. For
//! the cache to stay, device and file system must agree on the size of a block.

use super::loop_device::{self, BLOCK};
use crate::bundle::Paths;
use crate::error::{Doing, Failure};
use rustix::fs::{CWD, SeekFrom};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A writable layer that is attached nowhere yet.
pub(crate) struct Disk {
    /// `None`: a plain directory, without a limit.
    mount: Option<OwnedFd>,
}

/// Where a container may write.
pub(super) struct Writable {
    directory: PathBuf,
}

impl Writable {
    pub(super) fn upper(&self) -> PathBuf {
        self.directory.join("upper")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.directory.join("work")
    }

    /// A directory that is no part of the overlay, for containers that overlay something themselves.
    pub(super) fn plain(&self) -> PathBuf {
        self.directory.join("plain")
    }
}

/// ext4 cannot be made much smaller.
const SMALLEST: u64 = 16 << 20;

impl Disk {
    /// Makes a writable layer of `bytes`. Without loop devices or `mkfs.ext4` it has no limit, and a
    /// warning says so.
    pub(crate) fn make(paths: &Paths, bytes: u64, warnings: &mut Vec<String>) -> Self {
        let mount = limited(paths, bytes.max(SMALLEST)).map_err(|failure| {
            warnings.push(format!("the disk limit is off: {}", failure.story()));
            // Half a file system is of no use to anybody.
            let _ = fs::remove_file(paths.disk());
        });
        Self { mount: mount.ok() }
    }

    /// Attaches it at [`Paths::writable`].
    pub(super) fn attach(self, paths: &Paths) -> Result<Writable, Failure> {
        let directory = paths.writable();
        fs::create_dir_all(&directory).doing("make the writable layer's mount point")?;
        if let Some(mount) = self.mount {
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            move_mount(mount.as_fd(), "", CWD, &directory, flags).doing("attach the writable layer")?;
        }
        Ok(Writable { directory })
    }
}

fn limited(paths: &Paths, bytes: u64) -> Result<OwnedFd, Failure> {
    let template = template(paths, bytes)?;
    let step = "make the writable layer's file";
    let image = File::options().read(true).write(true).create(true).truncate(true).open(paths.disk());
    let image = image.doing(step)?;
    image.set_len(bytes).doing(step)?;
    let device = loop_device::bind(&image).doing("bind the writable layer to a loop device")?;
    copy_sparse(&template, &device.file).doing("copy the writable layer's file system")?;
    let step = "mount the writable layer's file system";
    let ext4 = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC).doing(step)?;
    fsconfig_set_string(ext4.as_fd(), "source", device.path.as_path()).doing(step)?;
    // The inode tables are holes of the file, and zero without anybody writing zeros to them.
    fsconfig_set_flag(ext4.as_fd(), "noinit_itable").doing(step)?;
    fsconfig_set_flag(ext4.as_fd(), "discard").doing(step)?;
    fsconfig_set_flag(ext4.as_fd(), "nobarrier").doing(step)?;
    fsconfig_create(ext4.as_fd()).doing(step)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOATIME;
    fsmount(ext4.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).doing(step)
}

/// Opens an empty file system of that size, making it first if there is none.
fn template(paths: &Paths, bytes: u64) -> Result<File, Failure> {
    let step = "make the writable layer's file system";
    let containers = paths.directory().parent().unwrap_or(paths.directory());
    let templates = containers.join(".templates");
    let template = templates.join(format!("ext4-{BLOCK}-{bytes}.img"));
    if !template.exists() {
        fs::create_dir_all(&templates).doing(step)?;
        // Several may do this at once, each for itself; the last one's stays.
        let own = paths.directory().join("template.img");
        make_file_system(&own, bytes).doing(step)?;
        fs::rename(&own, &template).doing(step)?;
    }
    File::open(&template).doing(step)
}

fn make_file_system(path: &Path, bytes: u64) -> io::Result<()> {
    File::create(path)?.set_len(bytes)?;
    let mut command = Command::new("mkfs.ext4");
    command
        .args(["-q", "-F", "-m", "0", "-b", &BLOCK.to_string()])
        .args(["-O", "^has_journal,^resize_inode,sparse_super2"])
        .args(["-E", "lazy_itable_init=1,nodiscard,root_owner=0:0"])
        .arg(path);
    run_tool(command)
}

/// Runs a program of e2fsprogs.
pub(super) fn run_tool(mut command: Command) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").stdin(Stdio::null()).output()?;
    if !done.status.success() {
        let words = String::from_utf8_lossy(&done.stderr);
        return Err(io::Error::other(format!("{name} ended with {}: {}", done.status, words.trim())));
    }
    Ok(())
}

/// Copies only what is not a hole.
fn copy_sparse(from: &File, to: &File) -> io::Result<()> {
    let mut position = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let start = match rustix::fs::seek(from, SeekFrom::Data(position)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(from, SeekFrom::Hole(start))?;
        let mut at = start;
        while at < end {
            let wanted = buffer.len().min((end - at) as usize);
            let length = from.read_at(&mut buffer[..wanted], at)?;
            if length == 0 {
                break;
            }
            to.write_all_at(&buffer[..length], at)?;
            at += length as u64;
        }
        position = end;
    }
}
