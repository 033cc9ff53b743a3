//! The data directory: made with the right modes, and used by one process at a time.

use anyhow::{Context, Result, bail};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What only the server's user may look into, which is every folder but that of the certificates.
/// The directory itself is open to everybody, because the certificate of the local authority and
/// `endpoints.json` are for every user's clients.
///
/// It is about more than reading: layers hold programs with setuid bits, the stack's own and those
/// that apps bring, which nobody may run outside of a container.
const PRIVATE: &[&str] =
    &["keys", "git", "logs", "builds", "releases", "cache", "blobs", "layers", "containers", "stacks"];

/// Held for as long as a process works with the directory.
pub(crate) struct DataDir {
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be, and takes it for this process.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
        made.with_context(|| format!("cannot make the data directory {}", path.display()))?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .with_context(|| format!("cannot use the data directory {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                bail!("another kigo works with {}; stop it first", path.display())
            }
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        for name in PRIVATE {
            let folder = path.join(name);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            // One that is there already may come from a copy, or from a version that left it open.
            let closed = made.and_then(|()| std::fs::set_permissions(&folder, Permissions::from_mode(0o700)));
            closed.with_context(|| format!("cannot make {} private", folder.display()))?;
        }
        Ok(Self { _lock: lock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_used_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::take(folder.path()).unwrap();
        assert!(DataDir::take(folder.path()).is_err());
        drop(first);
        assert!(DataDir::take(folder.path()).is_ok());
    }

    #[test]
    fn others_look_into_nothing_also_if_they_could_before() {
        let folder = tempfile::tempdir().unwrap();
        let layers = folder.path().join("layers");
        std::fs::create_dir(&layers).unwrap();
        std::fs::set_permissions(&layers, Permissions::from_mode(0o755)).unwrap();
        let _taken = DataDir::take(folder.path()).unwrap();
        let mut found: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.metadata().unwrap().permissions().mode() & 0o077 != 0)
            .map(|entry| entry.file_name())
            .collect();
        found.sort();
        assert_eq!(found, [""; 0]);
        assert!(layers.is_dir());
    }
}
