//! Image manifests and configs, as the OCI image specification 1.1 has them.

use crate::admit::AdmitError;
use crate::compression::Compression;
use crate::layers::Layer;
use crate::store::{ImageStore, StoreError};
use domain::Digest;
use jiff::Timestamp;
use oci_spec::image::{
    Arch, Config, Descriptor, HistoryBuilder, ImageConfiguration, ImageManifest, ImageManifestBuilder,
    MediaType, Os, SCHEMA_VERSION,
};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::str::FromStr;

/// The media type of manifests that are made here.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What an image says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSpec {
    /// Lowest first.
    pub layers: Vec<Layer>,
    /// Environment that a container starts from.
    pub env: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// What comes before the command, where the image names something.
    pub entrypoint: Vec<String>,
    /// Program and arguments, where the image names some.
    pub command: Vec<String>,
    pub working_dir: Option<String>,
    /// User name or id, optionally `:` and a group.
    pub user: Option<String>,
    pub created: Option<Timestamp>,
    /// How the layers came to be, lowest first.
    pub history: Vec<HistoryStep>,
}

/// One step in the making of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryStep {
    pub created_by: String,
    pub created: Option<Timestamp>,
    /// The step changed no files, so that no layer belongs to it.
    pub empty_layer: bool,
}

/// An image in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Of the manifest.
    pub digest: Digest,
    /// Of the config blob.
    pub config: Digest,
    /// For example `linux`.
    pub os: String,
    /// For example `amd64`.
    pub architecture: String,
    pub spec: ImageSpec,
}

impl std::ops::Deref for Image {
    type Target = ImageSpec;
    fn deref(&self) -> &ImageSpec {
        &self.spec
    }
}

impl Image {
    /// What it runs by itself: `ENTRYPOINT` and `CMD`.
    pub fn argv(&self) -> Vec<String> {
        self.entrypoint.iter().chain(&self.command).cloned().collect()
    }

    /// The same as one line that a shell would read so.
    pub fn own_command(&self) -> Result<String, AdmitError> {
        let words = self.argv();
        if words.is_empty() {
            return Err(AdmitError::NoCommand);
        }
        // Fails for zero bytes only, which are not admitted.
        shlex::try_join(words.iter().map(String::as_str)).map_err(|_| AdmitError::Text("CMD"))
    }

    /// Bytes of all layers, compressed.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

impl ImageStore {
    /// Stores an image whose layers are in the store, and returns its manifest's digest. The same
    /// spec gives the same digest.
    pub fn put_image(&self, spec: &ImageSpec) -> Result<Digest, StoreError> {
        for layer in &spec.layers {
            self.blobs.refresh(&layer.digest)?;
        }
        let config = self.put_json(&config_of(spec))?;
        let descriptor = |media, size, digest: &Digest| Descriptor::new(media, size, oci_digest(digest));
        let layers = spec.layers.iter();
        let layers = layers.map(|layer| descriptor(media_type(layer.compression), layer.size, &layer.digest));
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(descriptor(MediaType::ImageConfig, config.size, &config.digest))
            .layers(layers.collect::<Vec<_>>())
            .build()
            .map_err(|error| StoreError::System {
                doing: "make an image manifest".into(),
                source: io::Error::other(error),
            })?;
        Ok(self.put_json(&manifest)?.digest)
    }

    /// Reads an image.
    pub fn image(&self, digest: &Digest) -> Result<Image, StoreError> {
        let corrupt = |why| StoreError::Corrupt { digest: *digest, why };
        let read = |digest: &Digest, too_large| match self.blobs.read_small(digest) {
            Err(StoreError::TooLarge { .. }) => Err(corrupt(too_large)),
            read => read,
        };
        let manifest = read(digest, "its manifest is larger than 4 MiB")?;
        let manifest: ImageManifest =
            serde_json::from_slice(&manifest).map_err(|_| corrupt("it is not an image manifest"))?;
        let config_digest =
            our_digest(manifest.config()).ok_or(corrupt("its config has no SHA-256 digest"))?;
        let config = read(&config_digest, "its config is larger than 4 MiB")?;
        let config: ImageConfiguration =
            serde_json::from_slice(&config).map_err(|_| corrupt("its config is not an image config"))?;
        let diff_ids = config.rootfs().diff_ids();
        if diff_ids.len() != manifest.layers().len() {
            return Err(corrupt("manifest and config disagree about the layers"));
        }
        // Such a layer is not asked for when a manifest is put, so a repository need not have it: its
        // digest could be that of anybody's blob.
        let is_elsewhere = |one: &Descriptor| one.urls().as_ref().is_some_and(|urls| !urls.is_empty());
        if manifest.layers().iter().any(is_elsewhere) {
            return Err(corrupt("a layer lies elsewhere"));
        }
        let layers = manifest.layers().iter().zip(diff_ids).map(|(descriptor, diff_id)| {
            Some(Layer {
                digest: our_digest(descriptor)?,
                diff_id: diff_id.parse().ok()?,
                size: descriptor.size(),
                compression: compression(descriptor.media_type())?,
            })
        });
        let layers = layers.collect::<Option<_>>().ok_or(corrupt("a layer is of an unknown kind"))?;
        Ok(Image {
            digest: *digest,
            config: config_digest,
            os: config.os().to_string(),
            architecture: config.architecture().to_string(),
            spec: spec_of(&config, layers),
        })
    }

    fn put_json(&self, document: &impl serde::Serialize) -> Result<crate::Blob, StoreError> {
        // Through a value, whose maps are sorted: the library's are hash maps.
        let json =
            serde_json::to_value(document).and_then(|value| serde_json::to_vec(&value)).map_err(|error| {
                StoreError::System { doing: "write an image document as JSON".into(), source: error.into() }
            })?;
        self.put_blob(json.as_slice(), json.len() as u64, None)
    }
}

fn oci_digest(digest: &Digest) -> oci_spec::image::Sha256Digest {
    // 64 hex digits, as our type guarantees.
    oci_spec::image::Sha256Digest::from_str(&digest.hex()).unwrap_or_else(|_| unreachable!("{digest}"))
}

fn our_digest(descriptor: &Descriptor) -> Option<Digest> {
    descriptor.digest().to_string().parse().ok()
}

fn media_type(compression: Compression) -> MediaType {
    match compression {
        Compression::None => MediaType::ImageLayer,
        Compression::Gzip => MediaType::ImageLayerGzip,
        Compression::Zstd => MediaType::ImageLayerZstd,
    }
}

fn compression(media_type: &MediaType) -> Option<Compression> {
    match media_type {
        MediaType::ImageLayer => Some(Compression::None),
        MediaType::ImageLayerGzip => Some(Compression::Gzip),
        MediaType::ImageLayerZstd => Some(Compression::Zstd),
        MediaType::Other(name) => match name.as_str() {
            // What `docker push` sends.
            "application/vnd.docker.image.rootfs.diff.tar" => Some(Compression::None),
            "application/vnd.docker.image.rootfs.diff.tar.gzip" => Some(Compression::Gzip),
            _ => None,
        },
        _ => None,
    }
}

/// That of this machine.
pub(crate) fn architecture() -> Arch {
    match std::env::consts::ARCH {
        "x86_64" => Arch::Amd64,
        "aarch64" => Arch::ARM64,
        other => Arch::Other(other.to_owned()),
    }
}

fn config_of(spec: &ImageSpec) -> ImageConfiguration {
    let mut inner = Config::default();
    let env = spec.env.iter().map(|(name, value)| format!("{name}={value}"));
    inner
        .set_env(some(env.collect::<Vec<_>>()))
        .set_labels(
            Some(spec.labels.clone().into_iter().collect::<HashMap<_, _>>()).filter(|l| !l.is_empty()),
        )
        .set_entrypoint(some(spec.entrypoint.clone()))
        .set_cmd(some(spec.command.clone()))
        .set_working_dir(spec.working_dir.clone())
        .set_user(spec.user.clone());
    let mut rootfs = oci_spec::image::RootFs::default();
    rootfs.set_diff_ids(spec.layers.iter().map(|layer| layer.diff_id.to_string()).collect());
    let history = spec.history.iter().map(|step| {
        let mut builder =
            HistoryBuilder::default().created_by(step.created_by.clone()).empty_layer(step.empty_layer);
        if let Some(created) = step.created {
            builder = builder.created(created.to_string());
        }
        builder.build().unwrap_or_default()
    });
    let mut config = ImageConfiguration::default();
    config
        .set_created(spec.created.map(|created| created.to_string()))
        .set_architecture(architecture())
        .set_os(Os::Linux)
        .set_config(Some(inner))
        .set_rootfs(rootfs)
        .set_history(some(history.collect()));
    config
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn spec_of(config: &ImageConfiguration, layers: Vec<Layer>) -> ImageSpec {
    let time = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
    let inner = config.config().clone().unwrap_or_default();
    let env = inner.env().clone().unwrap_or_default();
    let env = env.iter().filter_map(|pair| pair.split_once('='));
    let history = config.history().clone().unwrap_or_default();
    let history = history.iter().map(|step| HistoryStep {
        created_by: step.created_by().clone().unwrap_or_default(),
        created: time(step.created()),
        empty_layer: step.empty_layer().unwrap_or_default(),
    });
    ImageSpec {
        layers,
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        labels: inner.labels().clone().unwrap_or_default().into_iter().collect(),
        entrypoint: inner.entrypoint().clone().unwrap_or_default(),
        command: inner.cmd().clone().unwrap_or_default(),
        working_dir: inner.working_dir().clone(),
        user: inner.user().clone(),
        created: time(config.created()),
        history: history.collect(),
    }
}
