//! Something that is the same for every app and takes a while to make: a toolchain, say. The first
//! build that wants it makes it, in a container that runs nothing of an app's; later ones find it.

use super::{forget, is_unused, read, records_in, renew, runtimes, write};
use crate::build::Context;
use crate::waiting::Making;
use crate::{BuildError, Builder};
use domain::Digest;
use image::{ImageSpec, Layer};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::time::Duration;

/// One such thing.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    name: String,
    base: Option<Digest>,
}

/// What came of looking for it.
pub(crate) enum Found {
    There(Layer),
    /// It is to be made, and kept, before this is dropped.
    ToMake(Making),
}

/// What is written down about it.
#[derive(Serialize, Deserialize)]
struct Record {
    /// The image that it was made for, if it is of no use on another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Digest>,
    /// An image of the one layer.
    images: Vec<Digest>,
}

impl Shared {
    /// What has this name, which says all that decides the content.
    pub(crate) fn named(name: String) -> Self {
        Self { name, base: None }
    }

    /// The same, of use only on `base`, which is one of a stack's images.
    pub(crate) fn on(self, base: Digest) -> Self {
        Self { name: format!("{}-{}", self.name, &base.hex()[..16]), base: Some(base) }
    }

    /// The layer, if it was made.
    pub(crate) fn find(&self, builder: &Builder) -> Option<Layer> {
        let path = self.path(&builder.data);
        let record = read(&path).filter(|record: &Record| record.base == self.base)?;
        let layer = builder.images.image(record.images.first()?).ok()?.spec.layers.first().copied()?;
        renew(&builder.images, &path, layer)
    }

    /// The layer, or leave to make it, which of several builds one has, and the others wait.
    pub(crate) async fn find_or_make(&self, context: &Context<'_>) -> Result<Found, BuildError> {
        let builder = context.builder;
        if let Some(layer) = self.find(builder) {
            return Ok(Found::There(layer));
        }
        let making = builder.makers.make(context, &self.name).await?;
        Ok(self.find(builder).map_or(Found::ToMake(making), Found::There))
    }

    /// Keeps it for all builds to come.
    pub(crate) fn keep(&self, builder: &Builder, layer: Layer) -> Result<(), BuildError> {
        let image = builder.images.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() })?;
        let record = Record { base: self.base, images: vec![image] };
        write(&self.path(&builder.data), &record)
            .map_err(BuildError::system("writing down what all apps share"))
    }

    fn path(&self, data: &Path) -> std::path::PathBuf {
        runtimes(data).join(format!("{}-{}.json", self.name, std::env::consts::ARCH))
    }
}

/// Forgets what was made for images that are none of `current`, and what was not used for so long, so
/// that it is collected.
pub(crate) fn forget_shared(data: &Path, current: &[Digest], unused: Duration) -> io::Result<()> {
    for path in records_in(&runtimes(data))? {
        let base = read::<Record>(&path).and_then(|record| record.base);
        if base.is_some_and(|base| !current.contains(&base)) || is_unused(&path, unused) {
            forget(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ImageStore;

    #[test]
    fn what_was_made_for_an_image_goes_with_it() {
        let data = tempfile::tempdir().unwrap();
        let (old, new) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
        let anywhere = || Shared::named("go-1.25.3".into());
        let all = [anywhere(), anywhere().on(old), anywhere().on(new)];
        for shared in &all {
            let record = Record { base: shared.base, images: vec![new] };
            write(&shared.path(data.path()), &record).unwrap();
        }
        let left = || all.each_ref().map(|shared| shared.path(data.path()).exists());
        assert_eq!(left(), [true, true, true]);
        forget_shared(data.path(), &[new], Duration::MAX).unwrap();
        assert_eq!(left(), [true, false, true]);
    }

    #[test]
    fn what_nobody_uses_is_forgotten_and_what_somebody_has_just_found_stays() {
        let data = tempfile::tempdir_in("/var/tmp").unwrap();
        let images = ImageStore::open(data.path()).unwrap();
        let engine = std::sync::Arc::new(engine::fake::Fake::new());
        let builder = Builder::new(engine, images.clone(), data.path().into(), crate::Settings::default());
        let day = Duration::from_hours(24);
        let age = |path: std::path::PathBuf| {
            let file = std::fs::File::open(path).unwrap();
            file.set_modified(std::time::SystemTime::now() - 31 * day).unwrap();
        };
        let [used, unused] = ["go-1.25.3", "go-1.24.0"].map(|name| {
            let tree = tempfile::tempdir().unwrap();
            std::fs::write(tree.path().join("name"), name).unwrap();
            let options = image::PackOptions::app(0);
            let layer = images.add_layer_from_directory(tree.path(), &options, image::Compression::None);
            let shared = Shared::named(name.into());
            shared.keep(&builder, layer.unwrap()).unwrap();
            age(shared.path(data.path()));
            shared
        });
        for blob in std::fs::read_dir(data.path().join("blobs/sha256")).unwrap() {
            age(blob.unwrap().path());
        }
        let layer = used.find(&builder).unwrap();
        builder.forget_unused().unwrap();
        assert!(used.find(&builder).is_some());
        assert!(unused.find(&builder).is_none());
        // A collection that knows of no record leaves what was found: it is young.
        images.collect(&image::Roots::default(), day).unwrap();
        assert!(images.has_blob(&layer.digest));
        age(images_path(data.path(), &layer));
        images.collect(&image::Roots::default(), day).unwrap();
        assert!(used.find(&builder).is_none());
    }

    fn images_path(data: &Path, layer: &Layer) -> std::path::PathBuf {
        data.join("blobs/sha256").join(layer.digest.hex())
    }
}
