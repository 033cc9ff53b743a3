//! Room on the disk that is kept for a start.
//!
//! To open the database takes some, and a server that cannot open it routes no request to dynos that
//! run. Whoever finds the disk full restarts the server sooner or later.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes that are kept.
const SIZE: u64 = 1 << 20;
/// They are taken only where so many are free.
const PLENTY: u64 = 64 * SIZE;

fn path(data: &Path) -> PathBuf {
    data.join("reserve")
}

/// Takes the room, if there is plenty and it is not taken yet.
pub(crate) fn keep(data: &Path) -> io::Result<()> {
    let path = path(data);
    let disk = rustix::fs::statvfs(data)?;
    if path.exists() || disk.f_bavail * disk.f_frsize < PLENTY {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let taken = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, SIZE);
    if taken.is_err() {
        std::fs::remove_file(path)?;
    }
    Ok(taken?)
}

/// Gives the room up; false if none was kept.
pub(crate) fn give_up(data: &Path) -> bool {
    std::fs::remove_file(path(data)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn is_taken_once_and_given_up_once() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            keep(folder.path()).unwrap();
            let taken = std::fs::metadata(path(folder.path())).unwrap();
            assert!(taken.blocks() * 512 >= SIZE, "a hole is no room");
        }
        assert!(give_up(folder.path()));
        assert!(!give_up(folder.path()));
    }
}
