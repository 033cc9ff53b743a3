//! The end of a build: what was compiled becomes an image, and what makes the next build fast is kept.

use super::{Compiled, Context, blocking};
use crate::cache::Kept;
use crate::errors::megabytes;
use crate::request::BuildpackName;
use crate::{BuildError, BuildOutcome, Builder, cache, packages, procfile};
use domain::{BuildpackRef, Digest, ProcessType};
use image::{Compression, Layer, PackOptions};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// The label of an image that carries its process types, as a JSON object.
const PROCESS_TYPES_LABEL: &str = "io.kigo.process-types";

/// Makes the image of what was compiled and keeps the caches.
pub(super) async fn finish(
    context: &Context<'_>,
    compiled: Compiled,
    entries: &[BuildpackRef],
    found: bool,
) -> Result<BuildOutcome, BuildError> {
    let output = context.output;
    let run_packages = packages::layer(context, context.stack.run, &context.run_packages).await?;
    let declared = procfile::read(&compiled.tree)?;
    let process_types = procfile::discover(declared, compiled.process_types, output).await;
    output.heading("Compressing...").await;
    let app = pack_app(context, compiled.tree).await?;
    let size = app.size + context.layers.iter().map(|layer| layer.size).sum::<u64>();
    let limit = context.builder.settings.slug_limit;
    if size > limit {
        return Err(BuildError::SlugTooLarge { size, limit });
    }
    let image = app_image(context, run_packages, app, &process_types, compiled.labels)?;
    output.detail(format!("Done: {}", megabytes(size))).await;
    keep(context, &compiled.kept);
    Ok(BuildOutcome {
        image: Some(image),
        images: BTreeMap::new(),
        checksum: Some(format!("SHA256:{}", app.digest.hex())),
        size,
        process_types,
        buildpacks: as_written(entries, compiled.used),
        detected: found,
        description: compiled.description,
        config_vars: compiled.config_vars,
        addons: compiled.addons,
        stack: context.stack.name.clone(),
    })
}

/// Keeps what makes the app's next build fast.
pub(super) fn keep(context: &Context<'_>, kept: &[Kept]) {
    if let Err(error) = cache::keep(&context.cache(), kept) {
        tracing::warn!(app = %context.request.app, %error, "the build cache was not kept");
    }
}

/// What was used, as somebody wrote it, if anybody did.
fn as_written(entries: &[BuildpackRef], mut used: Vec<BuildpackName>) -> Vec<BuildpackName> {
    for (entry, used) in entries.iter().zip(&mut used) {
        used.buildpack = entry.clone();
    }
    used
}

async fn pack_app(context: &Context<'_>, tree: PathBuf) -> Result<Layer, BuildError> {
    pack_tree(context.builder, tree, "app", context.source_time).await
}

/// Packs a tree that came out of a container as a layer below `prefix`.
pub(crate) async fn pack_tree(
    builder: &Builder,
    tree: PathBuf,
    prefix: &str,
    modified: impl Into<Option<u64>>,
) -> Result<Layer, BuildError> {
    let options = PackOptions { prefix: prefix.into(), modified: modified.into(), ..PackOptions::app(0) };
    let images = builder.images.clone();
    blocking(move || {
        // The directory itself carries the mode that the container's had, or ours.
        std::fs::set_permissions(&tree, std::fs::Permissions::from_mode(0o755))
            .map_err(BuildError::system("packing what the build made"))?;
        Ok(images.add_layer_from_directory(&tree, &options, Compression::Zstd)?)
    })
    .await
}

/// The image that the app runs from.
fn app_image(
    context: &Context<'_>,
    packages: Option<Layer>,
    app: Layer,
    process_types: &BTreeMap<ProcessType, String>,
    labels: BTreeMap<String, String>,
) -> Result<Digest, BuildError> {
    let images = &context.builder.images;
    let mut spec = images.image(&context.stack.run)?.spec;
    spec.layers.extend(packages);
    spec.layers.extend(context.layers.iter().copied());
    spec.layers.push(app);
    // The steps that are known, or none: a history must tell of every layer.
    spec.history.clear();
    spec.env.insert("HOME".into(), "/app".into());
    let types =
        serde_json::to_string(process_types).map_err(|error| BuildError::Container(error.to_string()))?;
    spec.labels.extend(labels);
    spec.labels.insert(PROCESS_TYPES_LABEL.into(), types);
    if let Some(version) = &context.request.source_version {
        spec.labels.insert("org.opencontainers.image.revision".into(), version.clone());
    }
    Ok(images.put_image(&spec)?)
}
