//! Something that is the same for every app and takes a while to make: a toolchain, say. The first
//! build that wants it makes it, in a container that runs nothing of an app's; later ones find it.

use super::{read, records_in, runtimes, write};
use crate::{BuildError, Builder};
use domain::Digest;
use image::{ImageSpec, Layer};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// One such thing.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    name: String,
    base: Option<Digest>,
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

    /// The layer, if it was made. Ask again with [`Builder::sharing`] held before making it.
    pub(crate) fn find(&self, builder: &Builder) -> Option<Layer> {
        let record: Record =
            read(&self.path(&builder.data)).filter(|record: &Record| record.base == self.base)?;
        let layer = builder.images.image(record.images.first()?).ok()?.spec.layers.first().copied()?;
        builder.images.has_blob(&layer.digest).then_some(layer)
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

/// Forgets what was made for images that are none of `current`, so that it is collected.
pub(crate) fn forget_shared(data: &Path, current: &[Digest]) -> io::Result<()> {
    for path in records_in(&runtimes(data))? {
        let base = read::<Record>(&path).and_then(|record| record.base);
        if base.is_some_and(|base| !current.contains(&base)) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        forget_shared(data.path(), &[new]).unwrap();
        assert_eq!(left(), [true, false, true]);
    }
}
