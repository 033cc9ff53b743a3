//! Paths that stay below a directory.
//!
//! Everything here resolves names with `openat2(2)`, so that the kernel, not a comparison of
//! strings, decides whether a path leaves its root.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a file that [`read_small_file`] reads at most.
pub const MAX_SMALL_FILE: u64 = 16 << 20;

/// Opens `path` below `root` without passing through a symbolic link anywhere.
pub(crate) fn open_no_links(root: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    open(root, path, flags | OFlags::NOFOLLOW, ResolveFlags::NO_SYMLINKS)
}

/// Opens `path` below `root`; links are followed as long as they stay below it.
pub(crate) fn open_links_inside(root: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    open(root, path, flags, ResolveFlags::empty())
}

fn open(root: impl AsFd, path: &Path, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = resolve | ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    // The kernel answers EAGAIN when something was renamed meanwhile and it cannot be sure.
    for _ in 0..64 {
        match openat2(&root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            result => return result,
        }
    }
    Err(Errno::AGAIN)
}

/// Opens a directory itself.
pub(crate) fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Reads the regular file `path` below `root`, such as a Procfile in sources that a stranger sent.
/// Links are followed as long as they stay below `root`. `None` when there is no such file.
///
/// # Errors
/// What the system says; [`io::ErrorKind::InvalidData`] for a file over `limit` bytes (at most
/// [`MAX_SMALL_FILE`]), a link that leaves `root` or leads nowhere, or something that is not a regular file.
pub fn read_small_file(root: &Path, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let refuse = |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{} {why}", path.display()));
    let root = open_directory(root)?;
    // NONBLOCK: opening a FIFO must not wait for a writer.
    let file = match open_links_inside(&root, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::XDEV) => return Err(refuse("is a link to outside of its directory")),
        Err(Errno::LOOP | Errno::NAMETOOLONG) => return Err(refuse("is a link that leads nowhere")),
        Err(errno) => return Err(errno.into()),
    };
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(refuse("is not a regular file"));
    }
    let limit = limit.min(MAX_SMALL_FILE);
    let mut content = Vec::new();
    std::fs::File::from(file).take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(refuse(&format!("is larger than {limit} bytes")));
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn reads_files_and_links_inside_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("sub/Procfile"), "web: a").unwrap();
        symlink("sub/Procfile", root.join("inside")).unwrap();
        symlink("../secret", root.join("outside")).unwrap();
        symlink("/etc/hostname", root.join("absolute")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("n".repeat(300), root.join("long")).unwrap();
        let fifo = root.join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();

        let read = |name: &str| read_small_file(&root, Path::new(name), 100);
        assert_eq!(read("sub/Procfile").unwrap().unwrap(), b"web: a");
        assert_eq!(read("inside").unwrap().unwrap(), b"web: a");
        assert_eq!(read("missing").unwrap(), None);
        assert_eq!(read("sub/Procfile/x").unwrap(), None);
        for bad in ["outside", "absolute", "fifo", "sub", "../secret", "loop", "long"] {
            assert_eq!(read(bad).unwrap_err().kind(), io::ErrorKind::InvalidData, "{bad}");
        }
        assert!(read_small_file(&root, Path::new("sub/Procfile"), 5).is_err());
    }
}
