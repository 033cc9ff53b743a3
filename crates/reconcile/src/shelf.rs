//! Where dumps that are whole lie: in `backups` of the data directory, or in an S3 store, which may be on
//! another machine and outlive this one.
//!
//! What lies in the store is known by a file `<id>.remote` here, which holds its address and is written before
//! the dump is sent. So nothing is looked for there, nothing of anybody else's is ever removed, and what could
//! not be removed yet is not forgotten. The store's own versions, locks and lifecycle are its operator's.

use bytes::Bytes;
use domain::TransferId;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::buffered::BufWriter;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::HashSet;
use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

/// The end of the name of a file that tells where a dump lies.
const REMOTE: &str = ".remote";
/// The end of the name of a dump that is not whole yet.
const PART: &str = ".part";

/// Where dumps lie; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
    store: Option<Store>,
}

#[derive(Clone, Debug)]
struct Store {
    objects: Arc<dyn ObjectStore>,
    /// `s3://bucket`
    bucket: String,
    prefix: Key,
}

impl Store {
    fn address(&self, key: &Key) -> String {
        format!("{}/{key}", self.bucket)
    }
}

/// Why there is no such store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0} is not an address like s3://bucket/folder")]
    Address(String),
    #[error("{0} cannot be used")]
    Unusable(String, #[source] object_store::Error),
}

impl Shelf {
    /// Dumps lie in the data directory `data`.
    pub fn here(data: &Path) -> Self {
        Self { dir: data.join("backups"), store: None }
    }

    /// New dumps lie in an S3 store; older ones stay where they are. `address` is `s3://bucket/folder`, and
    /// what else there is to know comes from variables such as `AWS_ENDPOINT` and `AWS_ACCESS_KEY_ID`, as other
    /// programs have them.
    pub fn in_store(
        data: &Path,
        address: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, StoreError> {
        let wrong = || StoreError::Address(address.to_owned());
        let (bucket, folder) = address
            .strip_prefix("s3://")
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
            .filter(|(bucket, _)| !bucket.is_empty())
            .ok_or_else(wrong)?;
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
        for (name, value) in variables {
            let name = name.to_ascii_lowercase();
            if let Some(key) =
                name.starts_with("aws_").then(|| name.parse::<AmazonS3ConfigKey>().ok()).flatten()
            {
                builder = builder.with_config(key, value);
            }
        }
        let objects = builder.build().map_err(|error| StoreError::Unusable(address.to_owned(), error))?;
        let prefix = Key::parse(folder.trim_matches('/')).map_err(|_| wrong())?;
        Ok(Self::of(data, Arc::new(objects), bucket, prefix))
    }

    fn of(data: &Path, objects: Arc<dyn ObjectStore>, bucket: &str, prefix: Key) -> Self {
        let store = Store { objects, bucket: format!("s3://{bucket}"), prefix };
        Self { store: Some(store), ..Self::here(data) }
    }

    /// The directory, for what belongs to dumps.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A dump that is not whole yet.
    pub(crate) fn part(&self, id: TransferId) -> PathBuf {
        self.dir.join(format!("{id}{PART}"))
    }

    fn whole(&self, id: TransferId) -> PathBuf {
        self.dir.join(id.to_string())
    }

    fn marker(&self, id: TransferId) -> PathBuf {
        self.dir.join(format!("{id}{REMOTE}"))
    }

    /// Makes the directory, for this program's user alone.
    pub(crate) async fn prepare(&self) -> io::Result<()> {
        tokio::fs::create_dir_all(&self.dir).await?;
        tokio::fs::set_permissions(&self.dir, Permissions::from_mode(0o700)).await
    }

    /// Keeps the whole dump of a file, which is gone afterwards.
    pub(crate) async fn keep(&self, id: TransferId, part: &Path) -> io::Result<()> {
        let Some(store) = &self.store else {
            tokio::fs::rename(part, self.whole(id)).await?;
            return self.sync().await;
        };
        let key = store.prefix.clone().join(id.to_string());
        let marker = self.marker(id);
        tokio::fs::write(&marker, store.address(&key)).await?;
        tokio::fs::File::open(&marker).await?.sync_all().await?;
        self.sync().await?;
        send(store, &key, part).await?;
        tokio::fs::remove_file(part).await
    }

    async fn sync(&self) -> io::Result<()> {
        tokio::fs::File::open(&self.dir).await?.sync_all().await
    }

    /// Where a dump lies in the store; `None` if it lies here, or nowhere.
    async fn place(&self, id: TransferId) -> io::Result<Option<(&Store, Key)>> {
        let address = match tokio::fs::read_to_string(self.marker(id)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        // A server that died as it wrote this had sent nothing.
        if address.trim().is_empty() {
            return Ok(None);
        }
        let other = || {
            let words = format!("it lies at {address}, which is no part of the store of the settings");
            io::Error::new(ErrorKind::Unsupported, words)
        };
        let store = self.store.as_ref().ok_or_else(other)?;
        let key = address.trim().strip_prefix(&store.bucket).and_then(|rest| rest.strip_prefix('/'));
        let key = key.and_then(|key| Key::parse(key).ok()).ok_or_else(other)?;
        Ok(Some((store, key)))
    }

    /// A dump as a file of this machine. One that lies in the store is fetched into `scratch` and goes with
    /// what is returned.
    pub(crate) async fn lend(&self, id: TransferId, scratch: &Path) -> io::Result<Lent> {
        let Some((store, key)) = self.place(id).await? else {
            return Ok(Lent { path: self.whole(id), fetched: false });
        };
        if let Some(folder) = scratch.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let lent = Lent { path: scratch.to_owned(), fetched: true };
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(scratch).await?;
        let mut pieces = store.objects.get(&key).await?.into_stream();
        while let Some(piece) = pieces.try_next().await? {
            file.write_all(&piece).await?;
        }
        file.flush().await?;
        Ok(lent)
    }

    /// A dump's bytes and how many they are; `None` if there is none.
    pub async fn read(
        &self,
        id: TransferId,
    ) -> io::Result<Option<(u64, BoxStream<'static, io::Result<Bytes>>)>> {
        if let Some((store, key)) = self.place(id).await? {
            return match store.objects.get(&key).await {
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                found => {
                    let found = found?;
                    Ok(Some((found.meta.size, found.into_stream().map_err(io::Error::from).boxed())))
                }
            };
        }
        let file = match tokio::fs::File::open(self.whole(id)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let size = file.metadata().await?.len();
        Ok(Some((size, ReaderStream::new(file).boxed())))
    }

    /// Removes dumps that nobody knows; `known` are names of files. Those that the store does not give up now are
    /// returned, and tried again the next time.
    pub(crate) async fn remove_strays(
        &self,
        known: &HashSet<String>,
    ) -> io::Result<Vec<(String, io::Error)>> {
        let mut left = Vec::new();
        let mut entries = match tokio::fs::read_dir(&self.dir).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(left),
            other => other?,
        };
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let (id, is_remote) = match name.strip_suffix(REMOTE) {
                Some(id) => (id, true),
                None => (name.strip_suffix(PART).unwrap_or(&name), false),
            };
            // A name that is nobody's id is nothing of ours.
            let Ok(transfer) = id.parse::<TransferId>() else { continue };
            if known.contains(if is_remote { id } else { &name }) {
                continue;
            }
            if is_remote && let Err(error) = self.give_up(transfer).await {
                left.push((id.to_owned(), error));
                continue;
            }
            tokio::fs::remove_file(entry.path()).await?;
        }
        Ok(left)
    }

    async fn give_up(&self, id: TransferId) -> io::Result<()> {
        let Some((store, key)) = self.place(id).await? else { return Ok(()) };
        match store.objects.delete(&key).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// Sends a file. What was sent of one that fails is taken back.
async fn send(store: &Store, key: &Key, path: &Path) -> io::Result<()> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut writer = BufWriter::new(store.objects.clone(), key.clone());
    let sent = async {
        let bytes = tokio::io::copy(&mut file, &mut writer).await?;
        writer.shutdown().await?;
        Ok::<_, io::Error>(bytes)
    };
    match sent.await {
        Ok(bytes) => {
            let found = store.objects.head(key).await?.size;
            if found == bytes {
                return Ok(());
            }
            Err(io::Error::other(format!("the store has {found} bytes of it, and {bytes} were sent")))
        }
        Err(error) => {
            // A store that answers nothing cannot be asked to forget either.
            if let Err(error) = writer.abort().await {
                tracing::warn!(%error, "parts of a dump may stay in its store");
            }
            Err(error)
        }
    }
}

/// A dump as a file of this machine.
pub(crate) struct Lent {
    path: PathBuf,
    fetched: bool,
}

impl Lent {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.fetched
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a dump that was fetched stays behind");
        }
    }
}

#[cfg(test)]
mod tests;
