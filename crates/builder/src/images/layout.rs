//! Images on their way into a build and out of it: as OCI image layouts, directories of blobs with an
//! index.

use super::{ImagesError, failed};
use crate::BuildError;
use domain::Digest;
use image::{Image, ImageStore, MANIFEST, MAX_LAYERS, Pin, StoreError};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::Path;

/// The annotation by which an index names an image.
const NAME: &str = "org.opencontainers.image.ref.name";

/// Bytes of an index, a manifest or a config.
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

/// Files and directories of a layout of so many images.
pub(crate) fn entries(images: usize) -> u64 {
    // Of each its layers, its config and its manifest; and what a layout has in any case.
    images.saturating_mul(MAX_LAYERS + 2).saturating_add(16) as u64
}

/// What was taken over.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// Manifests by the images' names.
    pub(crate) manifests: BTreeMap<String, Digest>,
    /// Keep all that belongs to them.
    pub(crate) pins: Vec<Pin>,
    seen: BTreeSet<Digest>,
}

/// Takes the images of a layout that a build sent into the store, at most `most` of them.
/// What they say is not looked at: that is for [`ImageStore::admit`].
pub(crate) fn import(images: &ImageStore, directory: &Path, most: usize) -> Result<Imported, BuildError> {
    let index: Index = small(directory, Path::new("index.json"))?;
    let mut imported = Imported::default();
    for entry in index.manifests {
        let Some(name) = entry.annotations.get(NAME) else { continue };
        if imported.manifests.len() == most && !imported.manifests.contains_key(name) {
            return Err(bad("it has images that nobody asked for"));
        }
        let digest = digest(&entry)?;
        let manifest: Manifest = small(directory, &place(&digest))?;
        if manifest.layers.len() > MAX_LAYERS {
            return Err(bad("an image in it has too many layers"));
        }
        for layer in &manifest.layers {
            imported.put(images, directory, &self::digest(layer)?, u64::MAX)?;
        }
        imported.put(images, directory, &self::digest(&manifest.config)?, SMALL)?;
        // The manifest last: whoever sees it finds the rest.
        imported.put(images, directory, &digest, SMALL)?;
        imported.manifests.insert(name.clone(), digest);
    }
    Ok(imported)
}

impl Imported {
    /// Takes a blob over, unless it was, as part of another image.
    fn put(
        &mut self,
        images: &ImageStore,
        directory: &Path,
        digest: &Digest,
        limit: u64,
    ) -> Result<(), BuildError> {
        if !self.seen.insert(*digest) {
            return Ok(());
        }
        let failed = || BuildError::system("taking over an image that was built");
        let root = File::open(directory).map_err(failed())?;
        // Whoever sent it may have put a link there, to anything.
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let blob = match rustix::fs::openat2(&root, place(digest), flags, Mode::empty(), beneath) {
            Err(Errno::NOENT) => return Err(bad("a part of an image is not in it")),
            Err(Errno::LOOP | Errno::XDEV | Errno::NOTDIR | Errno::NXIO) => {
                return Err(bad("a part of an image is not a file in it"));
            }
            blob => File::from(blob.map_err(|errno| failed()(errno.into()))?),
        };
        if !blob.metadata().map_err(failed())?.is_file() {
            return Err(bad("a part of an image is not a file in it"));
        }
        // From before it is there, so that at no time it lies in the store and is nobody's.
        self.pins.push(images.pin(*digest));
        match images.put_blob(BufReader::new(blob), limit, Some(digest)) {
            Ok(_) => Ok(()),
            Err(StoreError::DigestMismatch { .. }) => Err(bad("a part of an image is not what it is called")),
            Err(StoreError::TooLarge { .. }) => Err(bad("the config of an image is too large")),
            Err(error) => Err(error.into()),
        }
    }
}

fn place(digest: &Digest) -> std::path::PathBuf {
    Path::new("blobs/sha256").join(digest.hex())
}

/// For a layout that buildah would not have written: what a Dockerfile runs has had its hands in it.
fn bad(why: &'static str) -> BuildError {
    failed(ImagesError::Layout(why))
}

fn small<T: serde::de::DeserializeOwned>(directory: &Path, path: &Path) -> Result<T, BuildError> {
    let text = image::read_small_file(directory, path, SMALL).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => bad("its index or a manifest cannot be read"),
        _ => BuildError::system("reading the index of what was built")(error),
    })?;
    let text = text.ok_or_else(|| bad("its index or a manifest is missing"))?;
    serde_json::from_slice(&text).map_err(|_| bad("its index or a manifest is none"))
}

fn digest(of: &Descriptor) -> Result<Digest, BuildError> {
    of.digest.parse().map_err(|_| bad("a digest in it is none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Compression, ImageSpec, PackOptions, Roots};
    use sha2::Digest as _;
    use std::time::Duration;

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
        assert!(import(&to, &layout, 1).unwrap().manifests.is_empty());
        let text = std::fs::read_to_string(layout.join("index.json")).unwrap();
        let named = text.replace("\"size\"", &format!("\"annotations\":{{\"{NAME}\":\"web\"}},\"size\""));
        std::fs::write(layout.join("index.json"), named).unwrap();
        let imported = import(&to, &layout, 1).unwrap();
        assert_eq!(imported.manifests, [("web".to_owned(), image.digest)].into());
        // Nothing refers to it yet, and yet it stays.
        to.collect(&Roots::default(), Duration::ZERO).unwrap();
        assert_eq!(to.image(&image.digest).unwrap(), image);
        assert!(to.has_blob(&layer.digest));
        drop(imported);
        to.collect(&Roots::default(), Duration::ZERO).unwrap();
        assert!(!to.has_blob(&layer.digest));

        // A link in the place of a blob is not followed, and a blob is what its name says.
        let place = layout.join("blobs/sha256").join(layer.digest.hex());
        std::fs::remove_file(&place).unwrap();
        assert_eq!(refusal(&to, &layout), "a part of an image is not in it");
        std::os::unix::fs::symlink("/etc/passwd", &place).unwrap();
        assert_eq!(refusal(&to, &layout), "a part of an image is not a file in it");
        std::fs::remove_file(&place).unwrap();
        std::fs::create_dir(&place).unwrap();
        assert_eq!(refusal(&to, &layout), "a part of an image is not a file in it");
        std::fs::remove_dir(&place).unwrap();
        std::fs::write(&place, "something else").unwrap();
        assert_eq!(refusal(&to, &layout), "a part of an image is not what it is called");
    }

    /// Why a layout is refused, which is never this machine's fault.
    fn refusal(images: &ImageStore, layout: &Path) -> String {
        let error = import(images, layout, 1).unwrap_err();
        assert!(error.is_users(), "{error:?}");
        let why = error.words().why;
        why.strip_prefix("What the build sent are no images: ").unwrap().trim_end_matches('.').to_owned()
    }

    #[test]
    fn a_layout_has_bounds() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let images = store(&dir.path().join("store"));
        let layout = dir.path().join("layout");
        std::fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
        let put = |content: &[u8]| {
            let digest = Digest::from_bytes(sha2::Sha256::digest(content).into());
            std::fs::write(layout.join(place(&digest)), content).unwrap();
            digest.to_string()
        };
        let index = |manifests: &[(&str, &str)]| {
            let entry =
                |(name, digest): &(&str, &str)| json!({ "digest": digest, "annotations": { NAME: name } });
            let manifests: Vec<_> = manifests.iter().map(entry).collect();
            std::fs::write(layout.join("index.json"), json!({ "manifests": manifests }).to_string()).unwrap();
        };
        let layer = put(b"layer");
        let manifest = |config: &[u8], layers: usize| {
            let layers = vec![json!({ "digest": layer }); layers];
            put(json!({ "config": { "digest": put(config) }, "layers": layers }).to_string().as_bytes())
        };
        let good = manifest(b"{}", MAX_LAYERS);
        index(&[("web", &good)]);
        assert!(import(&images, &layout, 1).is_ok());
        let large = vec![b' '; SMALL as usize + 1];
        for (manifests, why) in [
            (vec![("web", good.as_str()), ("other", &good)], "it has images that nobody asked for"),
            (vec![("web", &manifest(b"{}", MAX_LAYERS + 1))], "an image in it has too many layers"),
            (vec![("web", &manifest(&large, 1))], "the config of an image is too large"),
            (vec![("web", &put(&large))], "its index or a manifest cannot be read"),
            (vec![("web", &put(b"nonsense"))], "its index or a manifest is none"),
            (vec![("web", "sha256:x")], "a digest in it is none"),
        ] {
            index(&manifests);
            assert_eq!(refusal(&images, &layout), why);
        }
        std::fs::write(layout.join("index.json"), &large).unwrap();
        assert_eq!(refusal(&images, &layout), "its index or a manifest cannot be read");
        std::fs::remove_file(layout.join("index.json")).unwrap();
        assert_eq!(refusal(&images, &layout), "its index or a manifest is missing");
    }
}
