//! Names what decides which packages get installed, by its content.

use crate::source::place_without_links;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes that are read for it at most.
const LIMIT: u64 = 256 << 20;

/// Directories in each other at most.
const DEPTH: usize = 64;

/// Becomes the name.
#[derive(Debug)]
pub(super) struct Fingerprint {
    hash: Sha256,
    left: u64,
    /// Whether something could not be read, so that the name says too little.
    is_broken: bool,
}

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self { hash: Sha256::new(), left: LIMIT, is_broken: false }
    }

    /// Adds a text or a file's content.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) {
        self.hash.update(format!("{} {name} {}\n", name.len(), content.len()));
        self.hash.update(content);
    }

    /// Adds a file or a directory of the app's with all that is in it; nothing if it is not there.
    pub(super) fn add_path(&mut self, tree: &Path, path: &str) {
        let Some(place) = place_without_links(tree, Path::new(path)) else {
            self.is_broken = true;
            return;
        };
        match self.entry(&place, path, 0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.is_broken = true,
            _ => {}
        }
    }

    fn entry(&mut self, place: &Path, name: &str, depth: usize) -> io::Result<()> {
        let metadata = place.symlink_metadata()?;
        if metadata.is_dir() {
            if depth > DEPTH {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
            let mut names = fs::read_dir(place)?
                .map(|entry| entry.map(|entry| entry.file_name()))
                .collect::<io::Result<Vec<_>>>()?;
            names.sort_unstable();
            for inner in names.iter().filter(|inner| *inner != "node_modules") {
                self.entry(&place.join(inner), &format!("{name}/{}", inner.to_string_lossy()), depth + 1)?;
            }
        } else if metadata.is_symlink() {
            // Links stay inside of the app, and what they lead to is not read.
            self.add(name, fs::read_link(place)?.as_os_str().as_bytes());
        } else if metadata.is_file() {
            let mut content = Vec::new();
            fs::File::open(place)?.take(self.left + 1).read_to_end(&mut content)?;
            self.left = self.left.checked_sub(content.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
            self.add(name, &content);
        }
        Ok(())
    }

    /// The name; `None` if it would not tell everything.
    pub(super) fn finish(self) -> Option<String> {
        (!self.is_broken).then(|| hex::encode(self.hash.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tree: &Path) -> Option<String> {
        let mut fingerprint = Fingerprint::new();
        fingerprint.add_path(tree, "dir");
        fingerprint.add_path(tree, "missing");
        fingerprint.finish()
    }

    #[test]
    fn it_follows_names_and_contents() {
        let tree = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = tree.path().join("dir").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a", "1");
        write("b/c", "2");
        let first = of(tree.path());
        assert!(first.is_some());
        write("node_modules/x", "3");
        assert_eq!(of(tree.path()), first);
        write("b/c", "3");
        let second = of(tree.path());
        assert_ne!(second, first);
        fs::rename(tree.path().join("dir/a"), tree.path().join("dir/z")).unwrap();
        assert_ne!(of(tree.path()), second);
    }
}
