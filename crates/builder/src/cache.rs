//! What builds keep to be fast, in `cache/` of the data directory.
//!
//! `cache/<app id>/` belongs to one app, and `cache/<app id>-test/` to builds of it that are tested. A record there, `NAME.json`, names an image: of one layer
//! with something that was installed ([`Installed`]), or of several with a directory that programs
//! fill ([`Directory`]). `cache/runtimes/` ([`Shared`]) and `cache/packages/` name images with language
//! runtimes and Debian packages, which all apps share. A record is a promise that the image was complete when
//! it was written; whether it is still in the store is checked when it is used.

mod directory;
mod installed;
mod shared;

pub(crate) use directory::{Directory, NEVER, Times, empty};
pub(crate) use installed::Installed;
pub(crate) use shared::{Found, Shared, forget_shared};

use domain::{AppId, Digest};
use image::{ImageStore, Layer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The use of a record is written down this often, as the time of its file.
const USE: Duration = Duration::from_hours(1);

/// The directory of one app.
pub(crate) fn of_app(data: &Path, app: AppId) -> PathBuf {
    data.join("cache").join(app.to_string())
}

/// The directory of an app's builds that are tested: they install other things.
pub(crate) fn of_tests(data: &Path, app: AppId) -> PathBuf {
    data.join("cache").join(format!("{app}-test"))
}

/// The directory of the language runtimes' records.
pub(crate) fn runtimes(data: &Path) -> PathBuf {
    data.join("cache").join("runtimes")
}

/// The directory of the records of Debian packages.
pub(crate) fn packages(data: &Path) -> PathBuf {
    data.join("cache").join("packages")
}

/// The directory of what registries answered.
pub(crate) fn registry(data: &Path) -> PathBuf {
    data.join("cache").join("registry")
}

/// Reads a record. One that is missing or damaged is none: it is made anew.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Writes a record, whole or not at all.
pub(crate) fn write(path: &Path, record: &impl Serialize) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut file, record)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Notes that a record is in use, and keeps its layer from a collection that has begun already. `None`
/// if the layer is not there any more.
pub(crate) fn renew(images: &ImageStore, path: &Path, layer: Layer) -> Option<Layer> {
    if !images.renew_blob(&layer.digest) {
        return None;
    }
    if is_unused(path, USE)
        && let Err(error) = std::fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now()))
    {
        tracing::warn!(path = %path.display(), %error, "cannot note that something is in use");
    }
    Some(layer)
}

/// Whether a record has not been used, or written, for so long.
pub(crate) fn is_unused(path: &Path, time: Duration) -> bool {
    let used = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age >= time))
}

/// Removes a record, if it is there.
pub(crate) fn forget(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What is kept of a build for the app's next one, by the name of its file. Written when the whole
/// build has succeeded: a failed one leaves the cache as it was.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) name: &'static str,
    pub(crate) record: Record,
}

/// An image that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Says what decided the content: it is of use only for a build that has the same key.
    pub(crate) key: String,
    /// One image or none, in the form in which a garbage collection looks for images.
    pub(crate) images: Vec<Digest>,
    /// Of a directory: bytes of the files in all its layers.
    #[serde(default)]
    pub(crate) bytes: u64,
}

impl Record {
    fn of_image(key: &str, image: Digest) -> Self {
        Self { images: vec![image], ..Self::of_key(key) }
    }

    /// A record of a key alone.
    pub(crate) fn of_key(key: &str) -> Self {
        Self { key: key.to_owned(), images: Vec::new(), bytes: 0 }
    }

    /// The record `name` in the directory of an app.
    pub(crate) fn read_any(directory: &Path, name: &str) -> Option<Self> {
        read(&path(directory, name))
    }

    /// The same, if it has this key.
    fn read(directory: &Path, name: &str, key: &str) -> Option<Self> {
        Self::read_any(directory, name).filter(|record| record.key == key)
    }

    /// The layers of the image, if all of them are still in the store.
    fn layers(&self, images: &ImageStore) -> Option<Vec<Layer>> {
        let layers = images.image(self.images.first()?).ok()?.spec.layers;
        layers.iter().all(|layer| images.has_blob(&layer.digest)).then_some(layers)
    }
}

fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.json"))
}

/// Writes what a build keeps into the directory of its app.
pub(crate) fn keep(directory: &Path, kept: &[Kept]) -> io::Result<()> {
    kept.iter().try_for_each(|one| write(&path(directory, one.name), &one.record))
}

/// Any record, as far as a garbage collection is concerned.
#[derive(Deserialize)]
struct Images {
    #[serde(default)]
    images: Vec<Digest>,
}

/// The images that all records name.
pub(crate) fn recorded_images(data: &Path) -> io::Result<Vec<Digest>> {
    let mut images = Vec::new();
    for directory in list(&data.join("cache"))? {
        images.extend(images_in(&directory)?);
    }
    Ok(images)
}

/// The images that the records in one directory name.
pub(crate) fn images_in(directory: &Path) -> io::Result<Vec<Digest>> {
    let records = records_in(directory)?;
    Ok(records.iter().filter_map(|path| read::<Images>(path)).flat_map(|record| record.images).collect())
}

/// The files of the records in one directory.
pub(crate) fn records_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = list(directory)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    Ok(files)
}

/// Removes what one app has.
pub(crate) fn purge(data: &Path, app: AppId) -> io::Result<()> {
    for directory in [of_app(data, app), of_tests(data, app)] {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    entries.map(|entry| entry.map(|entry| entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_recorded_image_and_forgets_a_purged_app() {
        let data = tempfile::tempdir().unwrap();
        let digest = |n| Digest::from_bytes([n; 32]);
        assert_eq!(recorded_images(data.path()).unwrap(), []);
        let app = AppId::new();
        let record = |n| serde_json::json!({"key": "k", "images": [digest(n)]});
        write(&of_app(data.path(), app).join("node.json"), &record(1)).unwrap();
        write(&of_tests(data.path(), app).join("node.json"), &record(3)).unwrap();
        write(&runtimes(data.path()).join("node-1.json"), &record(2)).unwrap();
        std::fs::write(runtimes(data.path()).join("damaged.json"), "{").unwrap();
        std::fs::write(data.path().join("cache/stray"), "").unwrap();
        let mut images = recorded_images(data.path()).unwrap();
        images.sort();
        assert_eq!(images, [digest(1), digest(2), digest(3)]);
        purge(data.path(), app).unwrap();
        purge(data.path(), app).unwrap();
        assert_eq!(recorded_images(data.path()).unwrap(), [digest(2)]);
    }
}
