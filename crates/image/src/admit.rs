//! Images that a stranger made, looked at before anything runs them.
//!
//! A registry takes a manifest for what it says. Here it is seen whether it is an image that this
//! machine can run, and whether its layers are what its config says: each is unpacked, by the rules
//! for strangers, and both of its digests are checked. A layer that is refused leaves nothing behind;
//! the good ones below it stay unpacked until they are collected.

use crate::layers::{Incoming, Layer, unpack_checked};
use crate::manifest::{Image, architecture};
use crate::store::{ImageStore, StoreError};
use crate::unpack::{Limits, TooMuch, UnpackError, UnpackOptions, Unpacked};
use crate::user::UserError;
use domain::Digest;
use serde::Deserialize;
use std::io::BufReader;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Layers of an image at most: as many as Docker allows.
pub const MAX_LAYERS: usize = 127;
/// Images that are admitted at a time; each is a thread's work for minutes, and what runs needs the
/// disk, too.
const AT_A_TIME: usize = 2;
/// Files, directories and links of all layers.
const MAX_ENTRIES: u64 = 800_000;
/// Bytes of all texts by which an image says how it runs.
const MAX_TEXT: usize = 256 << 10;

/// Why an image is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    #[error("it is not in the registry any more")]
    NotFound,
    #[error("it is no image: {0}")]
    NoImage(&'static str),
    #[error("it is for {found}, and this server is {wanted}")]
    Platform { found: String, wanted: String },
    #[error("it has no layers, so there is nothing to run")]
    NoLayers,
    #[error("it has {0} layers, and {MAX_LAYERS} are allowed")]
    TooManyLayers(usize),
    #[error("its layer {number} was not pushed")]
    MissingLayer { number: usize },
    #[error("its layer {number} cannot be unpacked: {source}")]
    Layer {
        number: usize,
        #[source]
        source: UnpackError,
    },
    #[error("its layer {number} is not what the image's config says")]
    OtherLayer { number: usize },
    #[error("its layers unpack to more than {} MiB", .0 >> 20)]
    TooLarge(u64),
    #[error("its layers have more than {MAX_ENTRIES} files")]
    TooManyEntries,
    #[error("its {0} cannot be used: it has a zero byte, or is too long")]
    Text(&'static str),
    #[error("{0}")]
    User(UserError),
    #[error("it names no command: set CMD or ENTRYPOINT in its Dockerfile")]
    NoCommand,
    #[error("the image store failed")]
    Store(#[source] StoreError),
}

impl AdmitError {
    /// Whether the image is at fault, rather than this machine.
    pub fn is_images_fault(&self) -> bool {
        match self {
            Self::Store(_) | Self::User(UserError::Read(_)) => false,
            Self::Layer { source, .. } => source.is_archive_at_fault(),
            _ => true,
        }
    }
}

/// Leave to [`admit`](ImageStore::admit) an image, until dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

/// What turns are taken from.
#[derive(Debug)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

/// The part of a document that tells an index from a manifest.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

impl ImageStore {
    /// Waits until fewer images are being admitted than may be at a time. What is to be admitted
    /// should be [pinned](Self::pin) meanwhile.
    pub async fn turn(&self) -> Turn {
        // An error says that the semaphore was closed, which nobody does.
        Turn { _permit: Arc::clone(&self.turns.0).acquire_owned().await.ok() }
    }

    /// Looks at an image that a stranger made, by its manifest or by an index that has one for this
    /// machine, and unpacks its layers, to at most `bytes` in all. The turn is to be kept until this
    /// has returned.
    pub fn admit(&self, _: &Turn, manifest: &Digest, bytes: u64) -> Result<Image, AdmitError> {
        let image = self.image(&self.for_this_machine(manifest)?).map_err(|error| match error {
            StoreError::NotFound(_) => AdmitError::NotFound,
            StoreError::Corrupt { why, .. } => AdmitError::NoImage(why),
            error => AdmitError::Store(error),
        })?;
        check_platform(&image)?;
        check_texts(&image)?;
        match image.layers.len() {
            0 => return Err(AdmitError::NoLayers),
            count if count > MAX_LAYERS => return Err(AdmitError::TooManyLayers(count)),
            _ => {}
        }
        let mut left = Limits {
            bytes,
            entries: MAX_ENTRIES,
            depth: 128,
            // What gzip can do; zstd could do a hundred times as much.
            ratio: 1100,
            time: Duration::from_mins(10),
        };
        for (index, layer) in image.layers.iter().enumerate() {
            let unpacked = self.admit_layer(layer, left).map_err(|error| refused(error, index + 1, bytes))?;
            left.bytes = left.bytes.checked_sub(unpacked.bytes).ok_or(AdmitError::TooLarge(bytes))?;
            left.entries = left.entries.checked_sub(unpacked.entries).ok_or(AdmitError::TooManyEntries)?;
        }
        Ok(image)
    }

    /// The manifest itself, or that of an index's image for this machine.
    pub fn for_this_machine(&self, digest: &Digest) -> Result<Digest, AdmitError> {
        let text = self.blobs.read_small(digest).map_err(|error| match error {
            StoreError::NotFound(_) => AdmitError::NotFound,
            StoreError::TooLarge { .. } => AdmitError::NoImage("its manifest is larger than 4 MiB"),
            error => AdmitError::Store(error),
        })?;
        let index: Index =
            serde_json::from_slice(&text).map_err(|_| AdmitError::NoImage("it is not a manifest"))?;
        let Some(entries) = index.manifests else { return Ok(*digest) };
        let wanted = architecture().to_string();
        let fits = |entry: &&Entry| {
            entry.platform.as_ref().is_some_and(|own| own.os == "linux" && own.architecture == wanted)
        };
        if let Some(entry) = entries.iter().find(fits) {
            return entry.digest.parse().map_err(|_| AdmitError::NoImage("a digest in it is none"));
        }
        let found = entries.iter().filter_map(|entry| entry.platform.as_ref());
        let found: Vec<_> = found.map(|own| format!("{}/{}", own.os, own.architecture)).collect();
        let found = if found.is_empty() { "no platform".into() } else { found.join(", ") };
        Err(AdmitError::Platform { found, wanted: format!("linux/{wanted}") })
    }

    fn admit_layer(&self, layer: &Layer, limits: Limits) -> Result<Unpacked, StoreError> {
        let known = self.layers.alone(&layer.diff_id, || match self.layers.vouched(layer) {
            Some(unpacked) if self.layers.ready(&layer.diff_id).is_some() => {
                self.layers.refresh(&layer.diff_id).map(|()| Some(unpacked))
            }
            _ => Ok(None),
        })?;
        if let Some(unpacked) = known {
            return Ok(unpacked);
        }
        // Not alone: the diff id is only claimed so far, and who starts a dyno of the layer that
        // really has it must not wait for a stranger's.
        let blob = BufReader::new(self.blobs.open_blob(&layer.digest)?);
        let incoming = Incoming::new(&self.layers)?;
        let options = UnpackOptions::strange_layer(limits);
        let unpacked = unpack_checked(blob, layer, &incoming.tree, &options)?;
        self.layers.alone(&layer.diff_id, || incoming.put(&self.layers, layer, unpacked))?;
        Ok(unpacked)
    }
}

fn refused(error: StoreError, number: usize, bytes: u64) -> AdmitError {
    match error {
        StoreError::NotFound(_) => AdmitError::MissingLayer { number },
        StoreError::Corrupt { .. } => AdmitError::OtherLayer { number },
        // The limits are what earlier layers have left over; what is allowed in all says more.
        StoreError::Unpack(UnpackError::TooMuch(TooMuch::Bytes(_))) => AdmitError::TooLarge(bytes),
        StoreError::Unpack(UnpackError::TooMuch(TooMuch::Entries(_))) => AdmitError::TooManyEntries,
        StoreError::Unpack(source) => AdmitError::Layer { number, source },
        error => AdmitError::Store(error),
    }
}

fn check_platform(image: &Image) -> Result<(), AdmitError> {
    let (found, wanted) =
        (format!("{}/{}", image.os, image.architecture), format!("linux/{}", architecture()));
    if found == wanted { Ok(()) } else { Err(AdmitError::Platform { found, wanted }) }
}

/// What becomes arguments and environment of a process.
fn check_texts(image: &Image) -> Result<(), AdmitError> {
    let env: Vec<String> = image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let others: Vec<String> = image.working_dir.iter().chain(&image.user).cloned().collect();
    for (what, texts) in [
        ("ENTRYPOINT", &image.entrypoint),
        ("CMD", &image.command),
        ("ENV", &env),
        ("WORKDIR or USER", &others),
    ] {
        let length: usize = texts.iter().map(String::len).sum();
        if length > MAX_TEXT || texts.iter().any(|text| text.contains('\0')) {
            return Err(AdmitError::Text(what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
