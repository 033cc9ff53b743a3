//! Files as block devices.

use crate::sys;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

/// Size of a block of our file systems, and of the devices below.
pub(super) const BLOCK: u32 = 4096;

/// A device over a file.
pub(super) struct LoopDevice {
    pub(super) path: PathBuf,
    /// Open until a mount holds the device: it is freed with its last user.
    pub(super) file: File,
}

/// Binds the file to a free loop device.
pub(super) fn bind(image: &File) -> io::Result<LoopDevice> {
    let control = File::options().read(true).write(true).open("/dev/loop-control")?;
    // Another process may take the free device first; then there is another one.
    for _ in 0..64 {
        let number = sys::free_loop_device(control.as_fd())?;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let file = match File::options().read(true).write(true).open(&path) {
            Ok(file) => file,
            // Bound and freed by another meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => continue,
            Err(error) => return Err(error),
        };
        let direct = sys::configure_loop_device(file.as_fd(), image.as_fd(), BLOCK, true);
        let bound = match direct {
            // A file system without direct access.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                sys::configure_loop_device(file.as_fd(), image.as_fd(), BLOCK, false)
            }
            other => other,
        };
        match bound {
            Ok(()) => return Ok(LoopDevice { path, file }),
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from(io::ErrorKind::ResourceBusy))
}
