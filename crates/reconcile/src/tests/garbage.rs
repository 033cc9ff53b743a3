//! What is collected of images, and what a release keeps.

use super::harness::World;
use crate::driver::Loop;
use crate::sweep::Sweep;
use domain::{Digest, ProcessType, Reference, RepositoryName, Tag};
use image::{Compression, ImageSpec, PackOptions};
use ops::containers::Ready;
use ops::registry::{self, NewManifest};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Longer ago than what has no row yet may be.
const LONG: Duration = Duration::from_hours(48);

impl World {
    /// An image with a layer of its own.
    fn image(&self, word: &str) -> Digest {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join("word"), word).unwrap();
        let layer =
            self.images.add_layer_from_directory(tree.path(), &PackOptions::app(0), Compression::Gzip);
        let spec = ImageSpec {
            layers: vec![layer.unwrap()],
            command: vec!["/run".into(), word.into()],
            ..ImageSpec::default()
        };
        self.images.put_image(&spec).unwrap()
    }

    /// Whether an image is there with all that it is made of.
    fn has(&self, image: &Digest) -> bool {
        let Ok(image) = self.images.image(image) else { return false };
        image.layers.iter().all(|layer| self.images.has_blob(&layer.digest))
            && self.images.layers(&image.digest).is_ok()
    }

    async fn release_image(&self, image: Digest) {
        let ready = Ready { process_type: ProcessType::web(), asked: image, image, command: "/run".into() };
        ops::containers::release(&self.ops, &self.actor, "blog", vec![ready]).await.unwrap();
    }

    /// Pushes an image to the registry as a client does, its blobs being there.
    async fn push_image(&self, digest: Digest, tag: &str) {
        let name = RepositoryName::parse("blog/web").unwrap();
        let image = self.images.image(&digest).unwrap();
        let blobs: Vec<_> = image.layers.iter().map(|layer| layer.digest).chain([image.config]).collect();
        for blob in &blobs {
            let upload = registry::begin_upload(&self.ops, &self.actor, &name).await.unwrap().id;
            registry::finish_upload(&self.ops, &self.actor, &name, upload, (*blob, 1)).await.unwrap();
        }
        let new = NewManifest {
            digest,
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            size: 1,
            config: Some(image.config),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            blobs,
            manifests: Vec::new(),
        };
        let tags = [Tag::parse(tag).unwrap()];
        registry::put_manifest(&self.ops, &self.actor, &name, new, &tags).await.unwrap();
    }

    async fn sweep_thoroughly(&self) {
        let mut sweep = Sweep {
            ops: self.ops.clone(),
            engine: Arc::new(self.engine.clone()),
            builder: self.builder.clone(),
            images: self.images.clone(),
            logs: self.logs.clone(),
            outputs: self.outputs.clone(),
            settings: Arc::new(self.settings.clone()),
            cleared: None,
            thorough: None,
        };
        sweep.run_once().await.unwrap();
    }
}

/// Makes everything below a directory as old as it has to be for the collector.
fn age(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            age(&entry.path());
        }
        std::fs::File::open(entry.path()).unwrap().set_modified(SystemTime::now() - LONG).unwrap();
    }
}

#[tokio::test]
async fn what_a_release_may_be_rolled_back_to_is_kept_and_what_nobody_needs_goes() {
    let world = World::with(|settings| settings.kept_releases = 2).await;
    let create = ops::apps::Create {
        name: Some("blog".into()),
        stack: Some("container".into()),
        ..ops::apps::Create::default()
    };
    ops::apps::create(&world.ops, &world.actor, create).await.unwrap();
    let images = ["first", "second", "third", "fourth"].map(|word| world.image(word));
    for image in images {
        world.push_image(image, "latest").await;
        world.release_image(image).await;
    }
    // Pushed and not released; released and then deleted from the registry; of nobody.
    let [pushed, stray] = ["pushed", "stray"].map(|word| world.image(word));
    world.push_image(pushed, "next").await;
    let name = RepositoryName::parse("blog/web").unwrap();
    for image in &images {
        registry::delete_manifest(&world.ops, &world.actor, &name, image).await.unwrap();
    }
    for image in &images {
        for layer in &world.images.image(image).unwrap().layers {
            registry::delete_blob(&world.ops, &world.actor, &name, &layer.digest).await.unwrap();
        }
        let config = world.images.image(image).unwrap().config;
        registry::delete_blob(&world.ops, &world.actor, &name, &config).await.unwrap();
    }
    for part in ["blobs/sha256", "layers"] {
        age(&world.settings.data.join(part));
    }
    world.sweep_thoroughly().await;

    let kept = [images[2], images[3], pushed];
    for image in images.iter().chain([&pushed, &stray]) {
        assert_eq!(world.has(image), kept.contains(image), "{image}");
    }
    ops::releases::rollback(&world.ops, &world.actor, "blog", "v5").await.unwrap();
    assert!(ops::releases::rollback(&world.ops, &world.actor, "blog", "v4").await.is_err());
    let reference = Reference::parse("next").unwrap();
    assert!(registry::manifest(&world.ops, &world.actor, &name, &reference).await.is_ok());
}
