//! Where uploads of the API go: source tarballs as blobs, slugs as images. Backups are read here. Images that were pushed to
//! the registry are looked at here before they are released.

use api::{Blobs, ByteStream, Runnable, Stored, StoredSlug, UploadError};
use async_trait::async_trait;
use builder::Builder;
use domain::{Digest, Slug, TransferId};
use image::{
    AdmitError, Compression, ImageSpec, ImageStore, PackOptions, StoreError, UnpackOptions, View, unpack,
};
use reconcile::Shelf;
use std::io;
use std::path::{Path, PathBuf};
use tokio_util::io::{ReaderStream, StreamReader};

/// Bytes of a source tarball at most.
const SOURCE_LIMIT: u64 = 2 << 30;
/// User and group of everything in a slug.
const OWNER: u32 = 1000;

/// Uploads into the image store.
pub(crate) struct Uploads {
    images: ImageStore,
    builder: Builder,
    shelf: Shelf,
    /// For slugs while they are unpacked.
    scratch: PathBuf,
    /// Compressed bytes.
    slug_limit: u64,
    /// Bytes of an image, unpacked.
    image_limit: u64,
}

impl Uploads {
    /// Takes uploads, and removes what a killed server had unpacked of some.
    pub(crate) fn open(
        images: ImageStore,
        builder: Builder,
        shelf: Shelf,
        scratch: PathBuf,
        slug_limit: u64,
        image_limit: u64,
    ) -> io::Result<Self> {
        match std::fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self { images, builder, shelf, scratch, slug_limit, image_limit })
    }
}

#[async_trait]
impl Blobs for Uploads {
    async fn put_source(&self, body: ByteStream) -> Result<Stored, UploadError> {
        let blob = self.images.receive_blob(StreamReader::new(body), SOURCE_LIMIT, None).await;
        let blob = blob.map_err(|error| refused(error, SOURCE_LIMIT))?;
        Ok(Stored { digest: blob.digest, size: blob.size })
    }

    async fn get(&self, digest: &Digest) -> io::Result<Option<ByteStream>> {
        if !self.images.has_blob(digest) {
            return Ok(None);
        }
        let file = self.images.open_blob(digest).map_err(io::Error::other)?;
        Ok(Some(Box::pin(ReaderStream::new(tokio::fs::File::from_std(file)))))
    }

    async fn put_slug(&self, slug: &Slug, body: ByteStream) -> Result<StoredSlug, UploadError> {
        let limit = self.slug_limit;
        let blob = self.images.receive_blob(StreamReader::new(body), limit, None).await;
        let blob = blob.map_err(|error| refused(error, limit))?;
        // The image is new to everybody, and nothing refers to it before this returns.
        let _pin = self.images.pin(blob.digest);
        let this = Work {
            images: self.images.clone(),
            data: self.builder.data.clone(),
            // Of its own: a client may send the same slug twice at a time.
            scratch: self.scratch.join(uuid::Uuid::new_v4().to_string()),
            stack: slug.stack.clone(),
            process_types: serde_json::to_string(&slug.process_types)
                .map_err(|error| storage(error.into()))?,
        };
        let digest = blob.digest;
        let image = tokio::task::spawn_blocking(move || this.image(&digest));
        let image = image.await.map_err(|error| storage(io::Error::other(error)))??;
        Ok(StoredSlug { image, checksum: blob.digest, size: blob.size })
    }

    async fn admit(&self, manifest: &Digest) -> Result<Runnable, UploadError> {
        let (images, manifest, limit) = (self.images.clone(), *manifest, self.image_limit);
        // From here on nothing of it is collected, though its tag be moved in the meantime.
        let named = images.pin(manifest);
        let turn = images.turn().await;
        let looked = tokio::task::spawn_blocking(move || {
            // Both go with the work, which goes on when nobody waits for it any more.
            let (_named, turn) = (named, turn);
            let image = images.for_this_machine(&manifest)?;
            let held = images.pin(image);
            let image = images.admit(&turn, &image, limit)?;
            let view = View::new(images.layers(&image.digest).map_err(AdmitError::Store)?);
            view.user(image.user.as_deref(), OWNER).map_err(AdmitError::User)?;
            Ok(Runnable { image: image.digest, command: image.own_command()?, held: Box::new(held) })
        });
        let looked = looked.await.map_err(|error| storage(io::Error::other(error)))?;
        looked.map_err(|error: AdmitError| {
            if error.is_images_fault() {
                UploadError::Refused(format!("The image {manifest} cannot run: {error}."))
            } else {
                storage(io::Error::other(error))
            }
        })
    }

    async fn get_slug(&self, slug: &Slug) -> io::Result<Option<ByteStream>> {
        let Some(image) = slug.image else { return Ok(None) };
        let images = self.images.clone();
        let layers = tokio::task::spawn_blocking(move || images.image(&image));
        let Ok(image) = layers.await.map_err(io::Error::other)? else { return Ok(None) };
        // The app's own layer is the last one.
        match image.layers.last() {
            Some(layer) => self.get(&layer.digest).await,
            None => Ok(None),
        }
    }

    async fn get_backup(&self, backup: TransferId) -> io::Result<Option<(u64, ByteStream)>> {
        self.shelf.read(backup).await
    }
}

/// Making an image of an uploaded slug.
struct Work {
    images: ImageStore,
    data: PathBuf,
    scratch: PathBuf,
    stack: String,
    process_types: String,
}

impl Work {
    fn image(&self, tarball: &Digest) -> Result<Digest, UploadError> {
        let stack = builder::stack::find(&self.images, &self.data, &self.stack)
            .map_err(|error| {
                UploadError::Refused(format!("The stack {} is not known: {error}.", self.stack))
            })?
            .ok_or_else(|| UploadError::Refused(format!("The stack {} is not ready yet.", self.stack)))?;
        // It may be made anew meanwhile.
        let _pin = self.images.pin(stack.run);
        let made = self.layer(tarball, &stack.run);
        // Nothing in the scratch folder is needed any more, whatever came of it.
        match std::fs::remove_dir_all(&self.scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(folder = %self.scratch.display(), %error, "cannot remove an unpacked slug");
            }
            _ => {}
        }
        made
    }

    fn layer(&self, tarball: &Digest, stack: &Digest) -> Result<Digest, UploadError> {
        std::fs::create_dir_all(&self.scratch).map_err(storage)?;
        let archive = self.images.open_blob(tarball).map_err(store)?;
        unpack(archive, &self.scratch, &UnpackOptions::slug(OWNER, OWNER)).map_err(|error| {
            if error.is_archive_at_fault() {
                UploadError::Refused(format!("The slug cannot be unpacked: {error}."))
            } else {
                storage(io::Error::other(error))
            }
        })?;
        let app = self.scratch.join("app");
        if !is_folder(&app) {
            let words = "The slug has no folder ./app. Pack it with `tar czf slug.tgz ./app`.";
            return Err(UploadError::Refused(words.into()));
        }
        let options = PackOptions::app(1);
        let layer = self.images.add_layer_from_directory(&app, &options, Compression::Gzip).map_err(store)?;
        let base = self.images.image(stack).map_err(store)?;
        let mut spec = ImageSpec { history: Vec::new(), ..base.spec };
        spec.layers.push(layer);
        spec.labels.insert("io.kigo.process-types".into(), self.process_types.clone());
        self.images.put_image(&spec).map_err(store)
    }
}

fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn refused(error: StoreError, limit: u64) -> UploadError {
    match error {
        StoreError::TooLarge { .. } => UploadError::TooLarge(limit),
        error => store(error),
    }
}

fn store(error: StoreError) -> UploadError {
    storage(io::Error::other(error))
}

fn storage(error: io::Error) -> UploadError {
    UploadError::Storage(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn a_pushed_image_waits_for_its_turn_and_is_kept_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let images = ImageStore::open(folder.path()).unwrap();
        let engine = Arc::new(engine::fake::Fake::new());
        let builder =
            Builder::new(engine, images.clone(), folder.path().into(), builder::Settings::default());
        let (shelf, scratch) = (Shelf::here(folder.path()), folder.path().join("s"));
        let uploads = Uploads::open(images.clone(), builder, shelf, scratch, 1, 1).unwrap();
        let pushed = images.put_blob(&b"{}"[..], 2, None).unwrap().digest;
        // All that there are.
        let mut turns = Vec::new();
        while let Ok(turn) = timeout(Duration::from_secs(1), images.turn()).await {
            turns.push(turn);
        }
        let mut admission = uploads.admit(&pushed);
        // Nothing else goes on here, so time passes by itself once everybody waits.
        assert!(timeout(Duration::from_secs(1), &mut admission).await.is_err(), "all turns are taken");
        images.collect(&image::Roots::default(), Duration::ZERO).unwrap();
        assert!(images.has_blob(&pushed));
        drop(turns);
        let refused = admission.await.map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("it is no image"), "{refused}");
        assert!(timeout(Duration::from_secs(1), images.turn()).await.is_ok(), "its turn is over");
    }
}
