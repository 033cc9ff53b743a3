//! What a build made, in the words of who writes it down.

use crate::error::{Error, Result};
use builder::BuildOutcome;
use image::ImageStore;
use ops::builds::{Outcome, Success};
use ops::registry::{Built, NewManifest};
use std::collections::BTreeMap;

/// The end of a build that succeeded.
pub(super) async fn outcome(images: &ImageStore, made: BuildOutcome) -> Result<Outcome> {
    let images = images.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let built = built(&images, &made)?;
        Ok::<_, Error>(success(made, built))
    });
    let success = looked.await.map_err(|error| Error::Panic(error.to_string()))??;
    Ok(Outcome::Succeeded(Box::new(success)))
}

/// The images of a container app, as the registry lists them.
fn built(images: &ImageStore, made: &BuildOutcome) -> Result<Vec<Built>> {
    let mut built = Vec::with_capacity(made.images.len());
    for (process_type, one) in &made.images {
        let image = images.image(&one.image)?;
        let mut blobs = vec![(image.config, images.blob_size(&image.config)?)];
        blobs.extend(image.layers.iter().map(|layer| (layer.digest, layer.size)));
        let manifest = NewManifest {
            digest: image.digest,
            media_type: image::MANIFEST.into(),
            size: images.blob_size(&image.digest)?,
            config: Some(image.config),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            blobs: blobs.iter().map(|(digest, _)| *digest).collect(),
            manifests: Vec::new(),
        };
        built.push(Built { process_type: process_type.clone(), manifest, blobs });
    }
    Ok(built)
}

fn success(made: BuildOutcome, built: Vec<Built>) -> Success {
    let buildpacks = if made.detected { made.buildpacks } else { Vec::new() };
    Success {
        image: made.image,
        images: made.images,
        built,
        checksum: made.checksum,
        size: made.size,
        process_types: made.process_types,
        buildpack_provided_description: Some(made.description),
        buildpacks: buildpacks.into_iter().map(|used| used.buildpack).collect(),
        config_vars: made.config_vars,
    }
}
