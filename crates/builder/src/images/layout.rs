//! Images on their way into a build and out of it: as OCI image layouts, directories of blobs with an
//! index.

use crate::BuildError;
use domain::Digest;
use image::{Image, ImageStore, MANIFEST};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Error, ErrorKind};
use std::path::Path;

/// The annotation by which an index names an image.
const NAME: &str = "org.opencontainers.image.ref.name";

/// Bytes of an index or a manifest.
const SMALL: u64 = 4 << 20;

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
}

/// Lays out an image of the store in a new directory, without copying its blobs. They must not be
/// written to.
pub(crate) fn export(images: &ImageStore, image: &Image, directory: &Path) -> Result<(), BuildError> {
    let failed = || BuildError::system("laying out an image for the build");
    let blobs = directory.join("blobs").join("sha256");
    std::fs::create_dir_all(&blobs).map_err(failed())?;
    let layers = image.layers.iter().map(|layer| layer.digest);
    for digest in layers.chain([image.digest, image.config]) {
        let place = blobs.join(digest.hex());
        // One layer may be there twice.
        if !place.exists() {
            images.link_blob(&digest, &place)?;
        }
    }
    let manifest = std::fs::read(blobs.join(image.digest.hex())).map_err(failed())?;
    let kind = serde_json::from_slice::<Kind>(&manifest).ok().and_then(|kind| kind.media_type);
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": kind.as_deref().unwrap_or(MANIFEST),
            "digest": image.digest.to_string(),
            "size": manifest.len(),
        }],
    });
    std::fs::write(directory.join("index.json"), index.to_string())
        .and_then(|()| std::fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#))
        .map_err(failed())
}

/// Takes the images of a layout that a build sent into the store; returns their manifests by name.
/// What they say is not looked at: that is for [`ImageStore::admit`].
pub(crate) fn import(images: &ImageStore, directory: &Path) -> Result<BTreeMap<String, Digest>, BuildError> {
    let index: Index = parse(image::read_small_file(directory, Path::new("index.json"), SMALL))?;
    let mut found = BTreeMap::new();
    for entry in index.manifests {
        let Some(name) = entry.annotations.get(NAME) else { continue };
        let digest = digest(&entry)?;
        let place = Path::new("blobs/sha256").join(digest.hex());
        let manifest: Manifest = parse(image::read_small_file(directory, &place, SMALL))?;
        // The manifest last: whoever sees it finds the rest.
        for part in manifest.layers.iter().chain([&manifest.config]).map(self::digest) {
            put(images, directory, &part?)?;
        }
        put(images, directory, &digest)?;
        found.insert(name.clone(), digest);
    }
    Ok(found)
}

fn put(images: &ImageStore, directory: &Path, digest: &Digest) -> Result<(), BuildError> {
    let failed = || BuildError::system("taking over an image that was built");
    let root = File::open(directory).map_err(failed())?;
    let path = Path::new("blobs/sha256").join(digest.hex());
    // Whoever sent it may have put a link there, to anything.
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let blob = rustix::fs::openat2(&root, &path, flags, Mode::empty(), beneath);
    let blob = File::from(blob.map_err(Error::from).map_err(failed())?);
    images.put_blob(BufReader::new(blob), u64::MAX, Some(digest))?;
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(read: std::io::Result<Option<Vec<u8>>>) -> Result<T, BuildError> {
    let failed = || BuildError::system("reading the index of what was built");
    let text = read.map_err(failed())?.ok_or_else(|| failed()(ErrorKind::NotFound.into()))?;
    serde_json::from_slice(&text).map_err(|error| failed()(error.into()))
}

fn digest(of: &Descriptor) -> Result<Digest, BuildError> {
    of.digest.parse().map_err(|_| {
        BuildError::system("reading the index of what was built")(Error::new(
            ErrorKind::InvalidData,
            "a digest in it is none",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Compression, ImageSpec, PackOptions};

    fn store(data: &Path) -> ImageStore {
        ImageStore::open(data).unwrap()
    }

    #[test]
    fn an_image_goes_out_and_comes_back() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let (from, to) = (store(&dir.path().join("from")), store(&dir.path().join("to")));
        let tree = dir.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::write(tree.join("file"), "content").unwrap();
        let layer = from.add_layer_from_directory(&tree, &PackOptions::app(0), Compression::Gzip).unwrap();
        let spec =
            ImageSpec { layers: vec![layer, layer], command: vec!["/file".into()], ..ImageSpec::default() };
        let image = from.image(&from.put_image(&spec).unwrap()).unwrap();
        let layout = dir.path().join("layout");
        export(&from, &image, &layout).unwrap();

        // Without a name it is nobody's.
        assert!(import(&to, &layout).unwrap().is_empty());
        let text = std::fs::read_to_string(layout.join("index.json")).unwrap();
        let named = text.replace("\"size\"", &format!("\"annotations\":{{\"{NAME}\":\"web\"}},\"size\""));
        std::fs::write(layout.join("index.json"), named).unwrap();
        assert_eq!(import(&to, &layout).unwrap(), [("web".to_owned(), image.digest)].into());
        assert_eq!(to.image(&image.digest).unwrap(), image);

        // A link in the place of a blob is not followed, and a blob is what its name says.
        let place = layout.join("blobs/sha256").join(layer.digest.hex());
        std::fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &place).unwrap();
        assert!(import(&store(&dir.path().join("other")), &layout).is_err());
        std::fs::remove_file(&place).unwrap();
        std::fs::write(&place, "something else").unwrap();
        assert!(import(&store(&dir.path().join("other")), &layout).is_err());
    }
}
