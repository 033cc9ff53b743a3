//! Blobs that come in pieces, over several requests and, if need be, several lives of the server.
//!
//! Each has a file, `blobs/uploads/<id>`, whose length says how far it is. What was hashed so far is
//! kept in memory; a server that has not seen the beginning reads it again at the end.

use crate::blobs::Blob;
use crate::store::{ImageStore, StoreError, at};
use domain::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::io::AsyncRead;
use uuid::Uuid;

/// With less than so many bytes free nothing more is taken, so that what runs can still write.
const ROOM: u64 = 256 << 20;
/// The room is looked at again after so many bytes.
const LOOK: u64 = 16 << 20;

/// The directory of uploads.
#[derive(Debug)]
pub(crate) struct Uploads {
    directory: PathBuf,
    /// What was hashed of those that this process has seen from the start.
    hashed: Mutex<HashMap<Uuid, Hashed>>,
}

#[derive(Clone, Debug, Default)]
struct Hashed {
    hasher: Sha256,
    size: u64,
}

impl Uploads {
    pub(crate) fn open(data: &Path) -> Result<Self, StoreError> {
        let directory = data.join("blobs").join("uploads");
        std::fs::create_dir_all(&directory).map_err(at("create the upload directory", &directory))?;
        Ok(Self { directory, hashed: Mutex::default() })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.directory.join(id.to_string())
    }

    fn hashed(&self) -> MutexGuard<'_, HashMap<Uuid, Hashed>> {
        self.hashed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn forget(&self, id: Uuid) {
        self.hashed().remove(&id);
    }

    /// Opens the file of an upload for one user at a time.
    fn file(&self, id: Uuid) -> Result<File, StoreError> {
        let path = self.path(id);
        let file =
            File::options().read(true).append(true).open(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => StoreError::NoUpload(id),
                _ => at("open", &path)(error),
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::UploadBusy(id)),
            Err(TryLockError::Error(error)) => return Err(at("lock", &path)(error)),
        }
        // One that was finished or given up between the two steps has no name any more.
        if path.exists() { Ok(file) } else { Err(StoreError::NoUpload(id)) }
    }
}

/// An upload that is being written to.
#[derive(Debug)]
struct Writer {
    uploads: Arc<Uploads>,
    id: Uuid,
    file: File,
    /// `None` if this process has not seen the beginning.
    hashed: Option<Hashed>,
    size: u64,
    limit: u64,
    /// Bytes until the room is looked at.
    until_look: u64,
}

impl Writer {
    fn open(uploads: &Arc<Uploads>, id: Uuid, offset: Option<u64>, limit: u64) -> Result<Self, StoreError> {
        let file = uploads.file(id)?;
        let size = file.metadata().map_err(at("look at", &uploads.path(id)))?.len();
        if offset.is_some_and(|offset| offset != size) {
            return Err(StoreError::UploadOffset { id, size });
        }
        let known = uploads.hashed().remove(&id);
        let hashed = known.filter(|hashed| hashed.size == size).or_else(|| (size == 0).then(Hashed::default));
        Ok(Self { uploads: Arc::clone(uploads), id, file, hashed, size, limit, until_look: 0 })
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.limit.saturating_sub(self.size) {
            let error = StoreError::TooLarge { limit: self.limit };
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
        }
        if self.until_look < bytes.len() as u64 {
            let disk = rustix::fs::fstatvfs(&self.file)?;
            if disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM + LOOK {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.until_look = LOOK;
        }
        let written = self.file.write(bytes)?;
        if let Some(hashed) = &mut self.hashed {
            hashed.hasher.update(&bytes[..written]);
            hashed.size += written as u64;
        }
        self.size += written as u64;
        self.until_look = self.until_look.saturating_sub(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(hashed) = self.hashed.take() {
            self.uploads.hashed().insert(self.id, hashed);
        }
    }
}

impl ImageStore {
    /// Makes room for a blob that comes in pieces under this new id.
    pub fn begin_upload(&self, id: Uuid) -> Result<(), StoreError> {
        let path = self.uploads.path(id);
        File::options().write(true).create_new(true).open(&path).map_err(at("create", &path))?;
        Ok(())
    }

    /// How many bytes of an upload are there.
    pub fn upload_size(&self, id: Uuid) -> Result<u64, StoreError> {
        let path = self.uploads.path(id);
        match std::fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NoUpload(id)),
            Err(error) => Err(at("look at", &path)(error)),
        }
    }

    /// Adds what `reader` gives to an upload, which may have `limit` bytes in all, and returns how
    /// many it has then. With `offset`, only if it has exactly so many before. Of a reader that
    /// fails, what came before stays.
    pub async fn receive_upload(
        &self,
        id: Uuid,
        offset: Option<u64>,
        reader: impl AsyncRead + Unpin,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let uploads = Arc::clone(&self.uploads);
        let open = move || Writer::open(&uploads, id, offset, limit);
        crate::store::pump(reader, self.uploads.directory(), open, |writer| Ok(writer.size)).await
    }

    /// Makes a blob of an upload, on disk for good when this returns; the upload is over. One that
    /// is not what `expected` says is thrown away.
    pub fn finish_upload(&self, id: Uuid, expected: &Digest) -> Result<Blob, StoreError> {
        let writer = Writer::open(&self.uploads, id, None, u64::MAX)?;
        let path = self.uploads.path(id);
        let hasher = match &writer.hashed {
            Some(hashed) => hashed.hasher.clone(),
            None => hash(&path)?,
        };
        let size = writer.size;
        let actual = Digest::from_bytes(hasher.finalize().into());
        if actual != *expected {
            drop(writer);
            self.cancel_upload(id)?;
            return Err(StoreError::DigestMismatch { expected: *expected, actual });
        }
        // The last piece may have come long ago, and the collector takes what is old.
        writer.file.set_modified(SystemTime::now()).map_err(at("touch", &path))?;
        writer.file.sync_data().map_err(at("write", &path))?;
        self.blobs.place(&actual, |target| std::fs::rename(&path, target))?;
        drop(writer);
        self.cancel_upload(id)?;
        Ok(Blob { digest: actual, size })
    }

    /// Throws an upload away. One that is not there is no error.
    pub fn cancel_upload(&self, id: Uuid) -> Result<(), StoreError> {
        self.uploads.forget(id);
        let path = self.uploads.path(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Removes the files of uploads that no root names and nobody touched since `before`.
    pub(crate) fn sweep_uploads(
        &self,
        keep: &std::collections::HashSet<Uuid>,
        before: SystemTime,
    ) -> Result<(), StoreError> {
        let directory = self.uploads.directory();
        for entry in std::fs::read_dir(directory).map_err(at("list", directory))? {
            let entry = entry.map_err(at("list", directory))?;
            let id = entry.file_name().to_str().and_then(|name| name.parse::<Uuid>().ok());
            let Some(id) = id.filter(|id| !keep.contains(id)) else { continue };
            if crate::collect::older(&entry.path(), before)? {
                self.cancel_upload(id)?;
            }
        }
        Ok(())
    }
}

fn hash(path: &Path) -> Result<Sha256, StoreError> {
    let mut file = File::open(path).map_err(at("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(at("read", path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Roots, StoreError};
    use std::time::Duration;

    const LIMIT: u64 = 100;

    struct Fixture {
        dir: tempfile::TempDir,
        store: ImageStore,
    }

    impl Fixture {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = ImageStore::open(dir.path()).unwrap();
            Self { dir, store }
        }

        /// As after a restart of the server.
        fn reopen(&mut self) {
            self.store = ImageStore::open(self.dir.path()).unwrap();
        }

        fn begin(&self) -> Uuid {
            let id = Uuid::new_v4();
            self.store.begin_upload(id).unwrap();
            id
        }

        async fn add(&self, id: Uuid, offset: Option<u64>, bytes: &[u8]) -> Result<u64, StoreError> {
            self.store.receive_upload(id, offset, bytes, LIMIT).await
        }

        fn files(&self) -> usize {
            std::fs::read_dir(self.dir.path().join("blobs/uploads")).unwrap().count()
        }
    }

    fn digest_of(bytes: &[u8]) -> Digest {
        Digest::from_bytes(Sha256::digest(bytes).into())
    }

    #[tokio::test]
    async fn pieces_become_a_blob_also_over_a_restart() {
        for restart in [false, true] {
            let mut fixture = Fixture::new();
            let id = fixture.begin();
            assert_eq!(fixture.add(id, Some(0), b"hel").await.unwrap(), 3);
            if restart {
                fixture.reopen();
            }
            assert_eq!(fixture.store.upload_size(id).unwrap(), 3);
            assert_eq!(fixture.add(id, None, b"lo").await.unwrap(), 5);
            let blob = fixture.store.finish_upload(id, &digest_of(b"hello")).unwrap();
            assert_eq!((blob.size, fixture.store.blob_size(&blob.digest).unwrap()), (5, 5));
            assert!(matches!(fixture.store.upload_size(id), Err(StoreError::NoUpload(_))));
            // The same content again is the same blob.
            let again = fixture.begin();
            fixture.add(again, None, b"hello").await.unwrap();
            assert_eq!(fixture.store.finish_upload(again, &blob.digest).unwrap(), blob);
            assert_eq!(fixture.files(), 0);
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused() {
        let fixture = Fixture::new();
        let id = fixture.begin();
        fixture.add(id, Some(0), b"hello").await.unwrap();
        for offset in [0, 4, 6] {
            let error = fixture.add(id, Some(offset), b"x").await.unwrap_err();
            assert!(matches!(error, StoreError::UploadOffset { size: 5, .. }), "{error:?}");
        }
        let error = fixture.add(id, None, &[0; 96]).await.unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { limit: LIMIT }), "{error:?}");
        assert!(matches!(
            fixture.store.finish_upload(id, &digest_of(b"other")),
            Err(StoreError::DigestMismatch { .. })
        ));
        assert_eq!(fixture.files(), 0, "a wrong upload leaves nothing");
        assert!(matches!(fixture.add(id, None, b"x").await, Err(StoreError::NoUpload(_))));
        assert!(matches!(
            fixture.store.finish_upload(Uuid::new_v4(), &digest_of(b"")),
            Err(StoreError::NoUpload(_))
        ));
    }

    #[tokio::test]
    async fn a_blob_is_young_however_old_its_last_piece_is() {
        let fixture = Fixture::new();
        let id = fixture.begin();
        fixture.add(id, None, b"hello").await.unwrap();
        let file = File::options().write(true).open(fixture.store.uploads.path(id)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(24)).unwrap();
        let blob = fixture.store.finish_upload(id, &digest_of(b"hello")).unwrap();
        let collected = fixture.store.collect(&Roots::default(), Duration::from_hours(1)).unwrap();
        assert_eq!(collected.blobs, 0);
        assert!(fixture.store.has_blob(&blob.digest));
    }

    #[tokio::test]
    async fn one_at_a_time_and_what_came_stays() {
        let fixture = Fixture::new();
        let id = fixture.begin();
        let (mut sender, receiver) = tokio::io::duplex(64);
        let store = fixture.store.clone();
        let first = tokio::spawn(async move { store.receive_upload(id, None, receiver, LIMIT).await });
        tokio::io::AsyncWriteExt::write_all(&mut sender, b"abc").await.unwrap();
        while fixture.store.upload_size(id).unwrap() < 3 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(fixture.add(id, None, b"x").await, Err(StoreError::UploadBusy(_))));
        drop(sender);
        assert_eq!(first.await.unwrap().unwrap(), 3);
        assert_eq!(fixture.add(id, Some(3), b"d").await.unwrap(), 4);
        fixture.store.finish_upload(id, &digest_of(b"abcd")).unwrap();
    }

    #[tokio::test]
    async fn only_those_that_nobody_knows_are_swept() {
        let fixture = Fixture::new();
        let (known, unknown) = (fixture.begin(), fixture.begin());
        let roots = Roots { uploads: [known].into(), ..Roots::default() };
        fixture.store.collect(&roots, Duration::from_hours(1)).unwrap();
        assert_eq!(fixture.files(), 2, "young ones stay");
        fixture.store.collect(&roots, Duration::ZERO).unwrap();
        assert!(fixture.store.upload_size(known).is_ok() && fixture.store.upload_size(unknown).is_err());
    }
}
