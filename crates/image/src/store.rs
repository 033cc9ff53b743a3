//! The image store: one handle for blobs, layers, images and what is swept away.

use crate::admit::Turns;
use crate::blobs::{Blob, BlobWriter, Blobs};
use crate::collect::Pins;
use crate::layers::Layers;
use crate::pack::PackError;
use crate::unpack::UnpackError;
use crate::uploads::Uploads;
use bytes::{Bytes, BytesMut};
use domain::Digest;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

/// Images on this machine's disk. Cloning gives another handle to the same store.
#[derive(Clone, Debug)]
pub struct ImageStore {
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) layers: Arc<Layers>,
    pub(crate) uploads: Arc<Uploads>,
    pub(crate) pins: Arc<Pins>,
    pub(crate) turns: Arc<Turns>,
}

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0} is not in the image store")]
    NotFound(Digest),
    #[error("expected content {expected}, got {actual}")]
    DigestMismatch { expected: Digest, actual: Digest },
    #[error("the content is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("there is no upload {0}")]
    NoUpload(Uuid),
    #[error("somebody else writes to the upload {0}")]
    UploadBusy(Uuid),
    /// A piece that does not follow the one before.
    #[error("the upload {id} goes on at byte {size}")]
    UploadOffset { id: Uuid, size: u64 },
    /// What is on disk is not what was put there, or is no image.
    #[error("{digest} in the image store is damaged: {why}")]
    Corrupt { digest: Digest, why: &'static str },
    #[error("cannot unpack the layer")]
    Unpack(#[from] UnpackError),
    #[error("cannot pack the layer")]
    Pack(#[from] PackError),
    #[error("cannot {doing}")]
    System {
        doing: String,
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::System { source, .. } => is_disk_full(source),
            Self::Unpack(error) => error.is_disk_full(),
            Self::Pack(error) => error.is_disk_full(),
            _ => false,
        }
    }
}

/// Whether the system said that there is no space left, or no quota.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// For `map_err`: what was being done, and to which path. Takes our own error out again where it
/// had to travel as an [`io::Error`].
pub(crate) fn at(doing: &str, path: &Path) -> impl Fn(io::Error) -> StoreError + Clone + use<> {
    let doing = format!("{doing} {}", path.display());
    move |source| match source.downcast::<StoreError>() {
        Ok(error) => error,
        Err(source) => StoreError::System { doing: doing.clone(), source },
    }
}

impl ImageStore {
    /// Opens the store in a data directory (`blobs/` and `layers/`), and makes it if need be.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            blobs: Arc::new(Blobs::open(data)?),
            layers: Arc::new(Layers::open(data)?),
            uploads: Arc::new(Uploads::open(data)?),
            pins: Arc::default(),
            turns: Arc::default(),
        })
    }

    /// Starts a blob of at most `limit` bytes, to be written and [finished](BlobWriter::finish).
    pub fn begin_blob(&self, limit: u64) -> Result<BlobWriter, StoreError> {
        self.blobs.writer(limit)
    }

    /// Stores all that `reader` gives, at most `limit` bytes; with `expected`, only if that is its
    /// digest.
    pub fn put_blob(
        &self,
        mut reader: impl Read,
        limit: u64,
        expected: Option<&Digest>,
    ) -> Result<Blob, StoreError> {
        let mut writer = self.begin_blob(limit)?;
        io::copy(&mut reader, &mut writer).map_err(at("receive into", self.blobs.incoming()))?;
        writer.finish(expected)
    }

    /// As [`put_blob`](Self::put_blob), for a stream of an async world. Dropping the future stores
    /// nothing.
    pub async fn receive_blob(
        &self,
        reader: impl AsyncRead + Unpin,
        limit: u64,
        expected: Option<Digest>,
    ) -> Result<Blob, StoreError> {
        let store = self.clone();
        let open = move || store.begin_blob(limit);
        pump(reader, self.blobs.incoming(), open, move |writer| writer.finish(expected.as_ref())).await
    }

    /// Has a blob appear at `target` as well, in the same file system without copying it. What is there
    /// must not be written to.
    pub fn link_blob(&self, digest: &Digest, target: &Path) -> Result<(), StoreError> {
        let source = self.blobs.path(digest);
        let linked = std::fs::hard_link(&source, target).or_else(|error| match error.kind() {
            io::ErrorKind::CrossesDevices => std::fs::copy(&source, target).map(drop),
            _ => Err(error),
        });
        linked.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if !source.exists() => StoreError::NotFound(*digest),
            _ => at("link a blob to", target)(error),
        })
    }

    /// Opens a blob for reading.
    pub fn open_blob(&self, digest: &Digest) -> Result<File, StoreError> {
        self.blobs.open_blob(digest)
    }

    /// Bytes of a blob.
    pub fn blob_size(&self, digest: &Digest) -> Result<u64, StoreError> {
        let file = self.open_blob(digest)?;
        Ok(file.metadata().map_err(at("look at", &self.blobs.path(digest)))?.len())
    }

    /// Makes a blob young, so that a [collection](Self::collect) leaves it alone for its grace; false
    /// if it is not there.
    pub fn renew_blob(&self, digest: &Digest) -> bool {
        self.blobs.refresh(digest).is_ok()
    }

    /// Whether a blob is there.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blobs.path(digest).exists()
    }
}

/// Carries a stream of an async world into a file: `open` makes the writer, `close` ends it when all
/// is there. A writer whose reader fails, or whose future is dropped, is dropped without `close`.
pub(crate) async fn pump<W: Write + 'static, T: Send + 'static>(
    mut reader: impl AsyncRead + Unpin,
    place: &Path,
    open: impl FnOnce() -> Result<W, StoreError> + Send + 'static,
    close: impl FnOnce(W) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    // The end is a message of its own: a channel that only closes means that nobody waits.
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Option<Bytes>>(8);
    let fail = at("receive into", place);
    let fail_writing = fail.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = open()?;
        loop {
            match receiver.blocking_recv() {
                Some(Some(piece)) => writer.write_all(&piece).map_err(&fail_writing)?,
                Some(None) => return close(writer),
                None => return Err(fail_writing(io::ErrorKind::Interrupted.into())),
            }
        }
    });
    let mut buffer = BytesMut::new();
    let failed = loop {
        buffer.reserve(128 << 10);
        let end = match reader.read_buf(&mut buffer).await {
            Ok(count) => count == 0,
            Err(error) => break Some(error),
        };
        let piece = (!end).then(|| buffer.split().freeze());
        // A writer that has given up says why below.
        if sender.send(piece).await.is_err() || end {
            break None;
        }
    };
    drop(sender);
    // Waited for in any case, so that nobody writes any more when this returns.
    let written = writing.await.map_err(|error| fail(io::Error::other(error)))?;
    match failed {
        Some(error) => Err(fail(error)),
        None => written,
    }
}
