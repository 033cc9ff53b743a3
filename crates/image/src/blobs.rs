//! Blobs: immutable files named by the SHA-256 of their content.

use crate::store::{StoreError, at};
use domain::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A blob that is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// The directory of blobs.
#[derive(Debug)]
pub(crate) struct Blobs {
    directory: PathBuf,
    incoming: PathBuf,
    /// Held while a blob takes its place and while an unused one is removed, so that a blob which
    /// somebody has just found present is not taken away in the same moment.
    door: Mutex<()>,
}

impl Blobs {
    pub(crate) fn open(data: &Path) -> Result<Self, StoreError> {
        let directory = data.join("blobs").join("sha256");
        let incoming = data.join("blobs").join("incoming");
        for path in [&directory, &incoming] {
            std::fs::create_dir_all(path).map_err(at("create the blob directory", path))?;
        }
        Ok(Self { directory, incoming, door: Mutex::new(()) })
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(digest.hex())
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn incoming(&self) -> &Path {
        &self.incoming
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ()> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writer(self: &Arc<Self>, limit: u64) -> Result<BlobWriter, StoreError> {
        let file = tempfile::NamedTempFile::new_in(&self.incoming)
            .map_err(at("create a file in", &self.incoming))?;
        // Tells the collector that a living process is writing here.
        file.as_file().lock().map_err(at("lock", file.path()))?;
        Ok(BlobWriter { blobs: Arc::clone(self), file, hasher: Sha256::new(), size: 0, limit })
    }

    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.path(digest);
        File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::NotFound(*digest),
            _ => at("open", &path)(error),
        })
    }

    /// Makes a blob young again, so that the collector waits before it looks at it.
    pub(crate) fn refresh(&self, digest: &Digest) -> Result<(), StoreError> {
        let _door = self.lock();
        let file = self.open_blob(digest)?;
        file.set_modified(SystemTime::now()).map_err(at("touch", &self.path(digest)))
    }

    /// Has `put` make the file of a new blob, which is on disk for good when this returns. A blob
    /// that is there already becomes young again instead, so that the collector waits before it
    /// looks at it.
    pub(crate) fn place(
        &self,
        digest: &Digest,
        put: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let path = self.path(digest);
        let directory = File::open(&self.directory).map_err(at("open", &self.directory))?;
        {
            let _door = self.lock();
            match File::options().write(true).open(&path) {
                Ok(file) => file.set_modified(SystemTime::now()).map_err(at("touch", &path))?,
                Err(_) => put(&path).map_err(at("rename a new blob to", &path))?,
            }
        }
        directory.sync_all().map_err(at("write", &self.directory))
    }

    /// Reads a small blob whole and checks that it is what its name says. One of more than 4 MiB is
    /// [`StoreError::TooLarge`]: no registry takes such a manifest, and no image needs such a config.
    pub(crate) fn read_small(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        const LIMIT: u64 = 4 << 20;
        let mut content = Vec::new();
        let read = self.open_blob(digest)?.take(LIMIT + 1).read_to_end(&mut content);
        read.map_err(at("read", &self.path(digest)))?;
        if content.len() as u64 > LIMIT {
            return Err(StoreError::TooLarge { limit: LIMIT });
        }
        let actual = Digest::from_bytes(Sha256::digest(&content).into());
        if actual != *digest {
            return Err(StoreError::Corrupt { digest: *digest, why: "its content does not match its name" });
        }
        Ok(content)
    }
}

/// A blob on its way in. Dropped before [`finish`](BlobWriter::finish), it leaves nothing behind.
#[derive(Debug)]
pub struct BlobWriter {
    blobs: Arc<Blobs>,
    file: tempfile::NamedTempFile,
    hasher: Sha256,
    size: u64,
    limit: u64,
}

impl BlobWriter {
    /// Makes what was written a blob, on disk for good when this returns. With `expected`, only if
    /// that is its digest.
    pub fn finish(self, expected: Option<&Digest>) -> Result<Blob, StoreError> {
        let digest = Digest::from_bytes(self.hasher.finalize().into());
        if let Some(expected) = expected.filter(|expected| **expected != digest) {
            return Err(StoreError::DigestMismatch { expected: *expected, actual: digest });
        }
        let path = self.blobs.path(&digest);
        self.file.as_file().sync_data().map_err(at("write", &path))?;
        let file = self.file;
        self.blobs.place(&digest, |path| file.persist(path).map(drop).map_err(|error| error.error))?;
        Ok(Blob { digest, size: self.size })
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.limit - self.size {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                StoreError::TooLarge { limit: self.limit },
            ));
        }
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Passes bytes on and hashes them.
pub(crate) struct Hashing<T> {
    pub(crate) inner: T,
    hasher: Sha256,
    pub(crate) count: u64,
}

impl<T> Hashing<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new(), count: 0 }
    }

    pub(crate) fn finish(self) -> (T, Digest, u64) {
        (self.inner, Digest::from_bytes(self.hasher.finalize().into()), self.count)
    }

    fn take_in(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.count += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.take_in(&buffer[..count]);
        Ok(count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.take_in(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
