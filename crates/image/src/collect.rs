//! Garbage collection by exact references.
//!
//! The store does not know who needs what. Its owner names the roots: every image that a slug, a
//! stack or a container (running or not yet removed) refers to, every blob that a build still wants,
//! and every manifest and blob that a repository of the registry has. What is reachable from no root, is not pinned and is old enough goes.

use crate::beneath::open_directory;
use crate::store::{ImageStore, StoreError, at};
use domain::Digest;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// What is to be kept.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// Manifests; their configs, layers and unpacked layers are kept with them.
    pub images: HashSet<Digest>,
    /// Blobs that stand for themselves, such as source archives.
    pub blobs: HashSet<Digest>,
    /// Uploads that have not ended.
    pub uploads: HashSet<Uuid>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub blobs: u64,
    /// Bytes of those blobs.
    pub bytes: u64,
    /// Unpacked layers.
    pub layers: u64,
}

/// Things that somebody in this process is working with, by how many.
#[derive(Debug, Default)]
pub(crate) struct Pins(Mutex<HashMap<Digest, usize>>);

/// Keeps an image or blob, whatever the roots say, until dropped.
#[derive(Debug)]
pub struct Pin {
    pins: Arc<Pins>,
    digest: Digest,
}

impl Pins {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<Digest, usize>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.pins.with(|pins| {
            if let Some(count) = pins.get_mut(&self.digest) {
                *count -= 1;
                if *count == 0 {
                    pins.remove(&self.digest);
                }
            }
        });
    }
}

impl ImageStore {
    /// Keeps an image or blob until the pin is dropped. For work that has not reached a row yet;
    /// it does not survive the process.
    pub fn pin(&self, digest: Digest) -> Pin {
        self.pins.with(|pins| *pins.entry(digest).or_default() += 1);
        Pin { pins: Arc::clone(&self.pins), digest }
    }

    /// Removes what no root reaches and nobody touched for `grace`, and what crashed writers left.
    /// `grace` must be longer than the time between storing something and writing the row that
    /// refers to it. Also makes unpacked layers safe against a crash of the machine.
    ///
    /// # Errors
    /// When a root image cannot be read although it is there, nothing is removed: what it refers
    /// to is not known then. A root that is not there at all refers to nothing.
    pub fn collect(&self, roots: &Roots, grace: Duration) -> Result<Collected, StoreError> {
        self.layers.settle()?;
        let (blobs, diff_ids) = self.reachable(roots)?;
        let before = SystemTime::now() - grace;
        let mut collected = Collected::default();
        self.sweep_uploads(&roots.uploads, before)?;
        self.sweep_blobs(&blobs, before, &mut collected)?;
        self.sweep_layers(&diff_ids, before, &mut collected)?;
        Ok(collected)
    }

    fn reachable(&self, roots: &Roots) -> Result<(HashSet<Digest>, HashSet<Digest>), StoreError> {
        let mut blobs = roots.blobs.clone();
        let mut diff_ids = HashSet::new();
        let pinned: Vec<Digest> = self.pins.with(|pins| pins.keys().copied().collect());
        for digest in roots.images.iter().chain(&pinned) {
            blobs.insert(*digest);
            let image = match self.image(digest) {
                Ok(image) => image,
                Err(StoreError::NotFound(_)) => continue,
                // A pin may be on a plain blob.
                Err(StoreError::Corrupt { .. }) if !roots.images.contains(digest) => continue,
                Err(error) => return Err(error),
            };
            blobs.insert(image.config);
            blobs.extend(image.layers.iter().map(|layer| layer.digest));
            diff_ids.extend(image.layers.iter().map(|layer| layer.diff_id));
        }
        Ok((blobs, diff_ids))
    }

    fn sweep_blobs(
        &self,
        keep: &HashSet<Digest>,
        before: SystemTime,
        collected: &mut Collected,
    ) -> Result<(), StoreError> {
        let directory = self.blobs.directory();
        for entry in std::fs::read_dir(directory).map_err(at("list", directory))? {
            let entry = entry.map_err(at("list", directory))?;
            let name = entry.file_name();
            let digest = name.to_str().and_then(|name| format!("sha256:{name}").parse::<Digest>().ok());
            if digest.is_some_and(|digest| keep.contains(&digest)) {
                continue;
            }
            // Under the lock the age is final: whoever wants the blob again makes it young first.
            let _door = self.blobs.lock();
            let pinned = digest.is_some_and(|digest| self.pins.with(|pins| pins.contains_key(&digest)));
            if pinned || !older(&entry.path(), before)? {
                continue;
            }
            let size = entry.metadata().map_err(at("look at", &entry.path()))?.len();
            std::fs::remove_file(entry.path()).map_err(at("remove", &entry.path()))?;
            collected.blobs += 1;
            collected.bytes += size;
        }
        self.sweep_incoming(before)
    }

    /// Files of writers that are no more: theirs are not locked.
    fn sweep_incoming(&self, before: SystemTime) -> Result<(), StoreError> {
        let directory = self.blobs.incoming();
        for entry in std::fs::read_dir(directory).map_err(at("list", directory))? {
            let path = entry.map_err(at("list", directory))?.path();
            match File::open(&path) {
                Ok(file) if file.try_lock().is_ok() && older(&path, before)? => {
                    remove_file_if_there(&path)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn sweep_layers(
        &self,
        keep: &HashSet<Digest>,
        before: SystemTime,
        collected: &mut Collected,
    ) -> Result<(), StoreError> {
        let directory = self.layers.directory();
        for entry in std::fs::read_dir(directory).map_err(at("list", directory))? {
            let entry = entry.map_err(at("list", directory))?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            match format!("sha256:{name}").parse::<Digest>() {
                Ok(diff_id) if keep.contains(&diff_id) => {}
                Ok(diff_id) => {
                    // Renamed while nobody can be about to use it, then removed at leisure.
                    let old = directory.join(format!("outgoing-{}", Uuid::new_v4()));
                    let moved = self.layers.alone(&diff_id, || {
                        let old_enough = older(&path, before)?;
                        if old_enough {
                            std::fs::rename(&path, &old).map_err(at("move away", &path))?;
                        }
                        Ok::<bool, StoreError>(old_enough)
                    })?;
                    if moved {
                        std::fs::remove_dir_all(&old).map_err(at("remove", &old))?;
                        collected.layers += 1;
                    }
                }
                Err(_) => remove_leftover(&path, &name, before)?,
            }
        }
        Ok(())
    }
}

/// Removes what an interrupted unpacking or removal left.
fn remove_leftover(path: &Path, name: &str, before: SystemTime) -> Result<(), StoreError> {
    let orphan = name.starts_with("outgoing-")
        || (name.starts_with("incoming-")
            && older(path, before)?
            && open_directory(path).is_ok_and(|fd| File::from(fd).try_lock().is_ok()));
    if orphan {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at("remove", path)(error)),
            _ => {}
        }
    }
    Ok(())
}

fn remove_file_if_there(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Whether a file was last changed before a moment; one that is gone is not.
pub(crate) fn older(path: &Path, before: SystemTime) -> Result<bool, StoreError> {
    match std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(modified) => Ok(modified <= before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at("look at", path)(error)),
    }
}
