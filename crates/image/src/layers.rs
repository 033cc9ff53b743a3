//! Layers: an archive as a blob, and the same unpacked into a directory that overlayfs can stack.

use crate::beneath::open_directory;
use crate::blobs::{Blobs, Hashing};
use crate::compression::Compression;
use crate::pack::{PackOptions, pack};
use crate::store::{ImageStore, StoreError, at};
use crate::unpack::{Counting, Limits, UnpackError, UnpackOptions, Unpacked, repack, unpack_archive};
use domain::Digest;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Bytes of a layer's blob at most: far above any slug or stack, for what is no accident.
const MAX_LAYER: u64 = 32 << 30;

/// A layer in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Of the blob, compressed as it is.
    pub digest: Digest,
    /// Of the archive without compression; names the unpacked directory.
    pub diff_id: Digest,
    /// Bytes of the blob.
    pub size: u64,
    pub compression: Compression,
}

/// The directory of unpacked layers: `<hex of the diff id>/{tree, boot | synced, from/}`.
///
/// A file in `from/` is called as a blob that was seen to hold this layer, and says how much it
/// unpacks to: that a config calls a blob so is nobody's word to be taken.
///
/// An unpacked layer is not flushed to disk, which would cost a deploy seconds; it carries the id
/// of the kernel's boot instead, and is unpacked anew when found after a crash of the machine.
#[derive(Debug)]
pub(crate) struct Layers {
    directory: PathBuf,
    boot: String,
    /// One lock for each layer being unpacked, so that it happens once.
    busy: Mutex<HashMap<Digest, Arc<Mutex<()>>>>,
}

impl Layers {
    pub(crate) fn open(data: &Path) -> Result<Self, StoreError> {
        let directory = data.join("layers");
        std::fs::create_dir_all(&directory).map_err(at("create the layer directory", &directory))?;
        let boot = Path::new("/proc/sys/kernel/random/boot_id");
        let boot = std::fs::read_to_string(boot).map_err(at("read", boot))?.trim().to_owned();
        Ok(Self { directory, boot, busy: Mutex::default() })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn place(&self, diff_id: &Digest) -> PathBuf {
        self.directory.join(diff_id.hex())
    }

    /// Runs `work` while nobody else in this process does so for the same layer.
    pub(crate) fn alone<T>(&self, diff_id: &Digest, work: impl FnOnce() -> T) -> T {
        let busy = || self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = Arc::clone(busy().entry(*diff_id).or_default());
        let result = {
            let _alone = lock.lock().unwrap_or_else(PoisonError::into_inner);
            work()
        };
        let mut busy = busy();
        // The map's and ours: nobody waits for it.
        if Arc::strong_count(&lock) == 2 {
            busy.remove(diff_id);
        }
        result
    }

    /// The unpacked tree, if it is there and can be trusted.
    pub(crate) fn ready(&self, diff_id: &Digest) -> Option<PathBuf> {
        let place = self.place(diff_id);
        let trusted = place.join("synced").exists()
            || std::fs::read_to_string(place.join("boot")).is_ok_and(|boot| boot == self.boot);
        trusted.then(|| place.join("tree"))
    }

    /// Where the unpacked tree is; unpacks it from its blob first if need be.
    fn tree(&self, blobs: &Blobs, layer: &Layer) -> Result<PathBuf, StoreError> {
        self.alone(&layer.diff_id, || {
            if let Some(tree) = self.ready(&layer.diff_id) {
                self.refresh(&layer.diff_id)?;
                return Ok(tree);
            }
            let blob = blobs.open_blob(&layer.digest)?;
            let incoming = Incoming::new(self)?;
            let unpacked =
                unpack_checked(BufReader::new(blob), layer, &incoming.tree, &UnpackOptions::layer())?;
            incoming.put(self, layer, unpacked)
        })
    }

    /// Makes an unpacked layer young again, for the collector.
    pub(crate) fn refresh(&self, diff_id: &Digest) -> Result<(), StoreError> {
        let place = self.place(diff_id);
        let now = std::time::SystemTime::now();
        File::open(&place).and_then(|dir| dir.set_modified(now)).map_err(at("touch", &place))
    }

    /// What a blob was seen to unpack to, if it was seen to hold this layer.
    pub(crate) fn vouched(&self, layer: &Layer) -> Option<Unpacked> {
        let path = self.place(&layer.diff_id).join("from").join(layer.digest.hex());
        let text = std::fs::read_to_string(path).ok()?;
        let (entries, bytes) = text.trim().split_once(' ')?;
        Some(Unpacked { entries: entries.parse().ok()?, bytes: bytes.parse().ok()?, left_out: 0 })
    }

    /// Notes that a blob holds the layer in `place`.
    fn vouch(place: &Path, layer: &Layer, unpacked: Unpacked) -> Result<(), StoreError> {
        let from = place.join("from");
        std::fs::create_dir_all(&from).map_err(at("create", &from))?;
        let path = from.join(layer.digest.hex());
        std::fs::write(&path, format!("{} {}\n", unpacked.entries, unpacked.bytes))
            .map_err(at("write", &path))
    }

    /// Makes every unpacked layer safe against a crash of the machine.
    pub(crate) fn settle(&self) -> Result<(), StoreError> {
        let mut fresh = Vec::new();
        for entry in std::fs::read_dir(&self.directory).map_err(at("list", &self.directory))? {
            let place = entry.map_err(at("list", &self.directory))?.path();
            let named = place.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.len() == 64);
            let boot = std::fs::read_to_string(place.join("boot"));
            if named && boot.is_ok_and(|boot| boot == self.boot) {
                fresh.push(place);
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let directory =
            open_directory(&self.directory).map_err(|errno| at("open", &self.directory)(errno.into()))?;
        rustix::fs::syncfs(&directory).map_err(|errno| at("write", &self.directory)(errno.into()))?;
        for place in fresh {
            std::fs::rename(place.join("boot"), place.join("synced")).map_err(at("mark", &place))?;
        }
        Ok(())
    }
}

/// Unpacks the blob of a layer and checks both digests on the way.
pub(crate) fn unpack_checked(
    blob: impl Read,
    layer: &Layer,
    tree: &Path,
    options: &UnpackOptions,
) -> Result<Unpacked, StoreError> {
    let corrupt = |why| StoreError::Corrupt { digest: layer.digest, why };
    let mut compressed = Hashing::new(blob);
    let (counted, counter) = Counting::new(&mut compressed);
    let decoder = layer.compression.decoder(counted).map_err(at("decompress", tree))?;
    let (unpacked, diff_id) = {
        let mut archive = Hashing::new(decoder);
        let unpacked = unpack_archive(&mut archive, counter, tree, options)?;
        let (_, diff_id, _) = archive.finish();
        (unpacked, diff_id)
    };
    // What follows the end of the last compressed frame is no part of the archive, but of the blob.
    io::copy(&mut compressed, &mut io::sink()).map_err(at("read the blob of", tree))?;
    let (_, digest, _) = compressed.finish();
    if digest != layer.digest {
        return Err(corrupt("its content does not match its name"));
    }
    if diff_id != layer.diff_id {
        return Err(corrupt("its archive does not match its diff id"));
    }
    Ok(unpacked)
}

/// A tree that is being made; removed when dropped before it is put in its place.
pub(crate) struct Incoming {
    place: PathBuf,
    pub(crate) tree: PathBuf,
    /// A lock on the directory, which tells the collector that somebody is at work here.
    _lock: File,
}

impl Incoming {
    pub(crate) fn new(layers: &Layers) -> Result<Self, StoreError> {
        let place = layers.directory.join(format!("incoming-{}", Uuid::new_v4()));
        let tree = place.join("tree");
        std::fs::create_dir_all(&tree).map_err(at("create", &tree))?;
        std::fs::set_permissions(&tree, PermissionsExt::from_mode(0o755)).map_err(at("open up", &tree))?;
        let lock = File::open(&place).map_err(at("open", &place))?;
        lock.lock().map_err(at("lock", &place))?;
        Ok(Self { place, tree, _lock: lock })
    }

    /// Puts it in its place. A tree that is there already and can be trusted stays.
    pub(crate) fn put(
        self,
        layers: &Layers,
        layer: &Layer,
        unpacked: Unpacked,
    ) -> Result<PathBuf, StoreError> {
        let diff_id = &layer.diff_id;
        let target = layers.place(diff_id);
        if let Some(tree) = layers.ready(diff_id) {
            Layers::vouch(&target, layer, unpacked)?;
            layers.refresh(diff_id)?;
            return Ok(tree);
        }
        Layers::vouch(&self.place, layer, unpacked)?;
        let boot = self.place.join("boot");
        std::fs::write(&boot, &layers.boot).map_err(at("write", &boot))?;
        let error = match std::fs::rename(&self.place, &target) {
            Ok(()) => return Ok(target.join("tree")),
            Err(error) => error,
        };
        if layers.ready(diff_id).is_some() {
            // Another process was faster; ours is dropped.
            return Ok(target.join("tree"));
        }
        if error.kind() != io::ErrorKind::DirectoryNotEmpty {
            return Err(at("rename an unpacked layer to", &target)(error));
        }
        // Left from before a crash of the machine.
        let old = layers.directory.join(format!("outgoing-{}", Uuid::new_v4()));
        std::fs::rename(&target, &old).map_err(at("move away", &target))?;
        std::fs::rename(&self.place, &target).map_err(at("rename an unpacked layer to", &target))?;
        std::fs::remove_dir_all(&old).map_err(at("remove", &old))?;
        Ok(target.join("tree"))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Gone already when it was put in its place.
        let _ = std::fs::remove_dir_all(&self.place);
    }
}

impl ImageStore {
    /// Stores an archive, compressed as its first bytes tell, as a layer. It is unpacked at once,
    /// by the policy for layers, so that a layer in the store is one that can be used.
    pub fn add_layer(&self, reader: impl Read) -> Result<Layer, StoreError> {
        let blob = self.put_blob(reader, MAX_LAYER, None)?;
        let file = self.open_blob(&blob.digest)?;
        let fail = at("read", &self.blobs.path(&blob.digest));
        let (head, reader) = crate::compression::peek(file).map_err(&fail)?;
        let compression = Compression::of(&head).map_err(|format| UnpackError::Format { format })?;
        let incoming = Incoming::new(&self.layers)?;
        let (counted, counter) = Counting::new(reader);
        let mut archive = Hashing::new(compression.decoder(counted).map_err(&fail)?);
        let unpacked = unpack_archive(&mut archive, counter, &incoming.tree, &UnpackOptions::layer())?;
        let (_, diff_id, _) = archive.finish();
        let layer = Layer { digest: blob.digest, diff_id, size: blob.size, compression };
        self.layers.alone(&diff_id, || incoming.put(&self.layers, &layer, unpacked))?;
        Ok(layer)
    }

    /// Packs a directory as a layer. The same content gives the same digests.
    pub fn add_layer_from_directory(
        &self,
        directory: &Path,
        options: &PackOptions,
        compression: Compression,
    ) -> Result<Layer, StoreError> {
        let blob = self.begin_blob(MAX_LAYER)?;
        let packed = pack(directory, blob, options, compression)?;
        let blob = packed.writer.finish(None)?;
        Ok(Layer { digest: blob.digest, diff_id: packed.diff_id, size: blob.size, compression })
    }

    /// Makes a layer of what a stranger sends, a tar archive without compression, while it comes. The
    /// same archive gives the same digests; what it may contain, [`Policy::Slug`](crate::Policy::Slug)
    /// says. Only when somebody needs its files are there any.
    pub fn add_layer_from_archive(
        &self,
        archive: impl Read,
        limits: Limits,
        options: &PackOptions,
        compression: Compression,
    ) -> Result<Layer, StoreError> {
        let fail = at("write", self.blobs.incoming());
        let blob = io::BufWriter::with_capacity(128 << 10, self.begin_blob(MAX_LAYER)?);
        let encoder = compression.encoder(blob).map_err(&fail)?;
        let hashing = repack(archive, Hashing::new(encoder), limits, options)?;
        let (encoder, diff_id, _) = hashing.finish();
        let blob = encoder.finish().map_err(&fail)?;
        let blob = blob.into_inner().map_err(|error| fail(error.into_error()))?.finish(None)?;
        Ok(Layer { digest: blob.digest, diff_id, size: blob.size, compression })
    }

    /// The unpacked directories of an image's layers, lowest first; those that are not there yet
    /// are unpacked. They are shared and must not be written to.
    pub fn layers(&self, image: &Digest) -> Result<Vec<PathBuf>, StoreError> {
        let image = self.image(image)?;
        image.layers.iter().map(|layer| self.layers.tree(&self.blobs, layer)).collect()
    }
}
