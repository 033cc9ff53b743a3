//! Layers with Node.js and npm, made once for each pair of versions and shared by all apps.

use super::versions::Versions;
use crate::build::blocking;
use crate::output::Output;
use crate::registry::Registry;
use crate::{BuildError, Builder, cache};
use domain::Digest;
use image::{Compression, ImageSpec, ImageStore, Layer, PackOptions, UnpackOptions, unpack};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::NamedTempFile;

/// Where Node.js is in dynos and builds.
const PLACE: &str = "app/.heroku/node";

/// Where its C headers are, which only builds have.
const HEADERS: &str = "usr/local/kigo/node";

/// What later buildpacks are given.
pub(super) const EXPORT: &str = "export PATH=\"/app/.heroku/node/bin:$PATH:$BUILD_DIR/node_modules/.bin\"";

/// Times of the runtime's files, so that the same versions give the same layers.
const MODIFIED: u64 = 1_735_689_600;

/// An installed runtime.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runtime {
    pub(super) node: Layer,
    pub(super) headers: Layer,
}

/// What is written down about a runtime.
#[derive(Serialize, Deserialize)]
struct Record {
    /// The runtime, then its headers, each an image of one layer.
    images: Vec<Digest>,
}

impl Runtime {
    /// Finds the runtime, or downloads it and makes its layers.
    pub(super) async fn install(
        builder: &Builder,
        registry: &Registry<'_>,
        versions: &Versions,
        output: &Output,
    ) -> Result<Self, BuildError> {
        let name = format!("node-{}-npm-{}-{}.json", versions.node, versions.npm, std::env::consts::ARCH);
        let path = cache::runtimes(&builder.data).join(name);
        if let Some(runtime) = recorded(&builder.images, &path) {
            output.detail(format!("Using node {} (cached)", versions.node)).await;
            return Ok(runtime);
        }
        output.detail(format!("Downloading and installing node {}...", versions.node)).await;
        let node = registry.archive(&versions.node_release.dist).await.map_err(BuildError::Registry)?;
        let npm = registry.archive(&versions.npm_release.dist).await.map_err(BuildError::Registry)?;
        let builder = builder.clone();
        blocking(move || make(&builder, &node, &npm, &path)).await
    }
}

fn recorded(images: &ImageStore, path: &Path) -> Option<Runtime> {
    let record: Record = cache::read(path)?;
    let layer = |digest: &Digest| {
        let layer = images.image(digest).ok()?.layers.first().copied()?;
        images.has_blob(&layer.digest).then_some(layer)
    };
    let [node, headers] = record.images.as_slice() else { return None };
    Some(Runtime { node: layer(node)?, headers: layer(headers)? })
}

fn make(
    builder: &Builder,
    node: &NamedTempFile,
    npm: &NamedTempFile,
    path: &Path,
) -> Result<Runtime, BuildError> {
    let system = || BuildError::system("installing Node.js");
    let directory = cache::runtimes(&builder.data);
    fs::create_dir_all(&directory).map_err(system())?;
    let scratch = tempfile::Builder::new().prefix("incoming-").tempdir_in(&directory).map_err(system())?;
    let (node_tree, npm_tree) = (scratch.path().join("node"), scratch.path().join("npm"));
    for (archive, tree) in [(node, &node_tree), (npm, &npm_tree)] {
        fs::create_dir(tree).map_err(system())?;
        let file = fs::File::open(archive.path()).map_err(system())?;
        unpack(std::io::BufReader::new(file), tree, &UnpackOptions::source(0, 0))
            .map_err(BuildError::Source)?;
    }
    let (runtime, headers) = (scratch.path().join("runtime"), scratch.path().join("headers"));
    arrange(&node_tree, &npm_tree, &runtime, &headers).map_err(system())?;
    let layer = |tree: &Path, prefix: &str| {
        let options = PackOptions { prefix: prefix.into(), ..PackOptions::app(MODIFIED) };
        builder.images.add_layer_from_directory(tree, &options, Compression::Zstd)
    };
    let runtime = Runtime { node: layer(&runtime, PLACE)?, headers: layer(&headers, HEADERS)? };
    let image = |layer| builder.images.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() });
    let record = Record { images: vec![image(runtime.node)?, image(runtime.headers)?] };
    cache::write(path, &record).map_err(system())?;
    Ok(runtime)
}

/// Puts the files of both packages where an installation of Node.js has them.
fn arrange(node: &Path, npm: &Path, runtime: &Path, headers: &Path) -> std::io::Result<()> {
    for directory in
        [runtime, &runtime.join("bin"), &runtime.join("lib"), &runtime.join("lib/node_modules"), headers]
    {
        fs::create_dir(directory)?;
    }
    fs::rename(node.join("bin/node"), runtime.join("bin/node"))?;
    for file in ["LICENSE", "README.md"] {
        // Old packages lack one or the other.
        let _ = fs::rename(node.join(file), runtime.join(file));
    }
    if node.join("include").is_dir() {
        fs::rename(node.join("include"), headers.join("include"))?;
    }
    for part in ["man", "docs"] {
        match fs::remove_dir_all(npm.join(part)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(npm, runtime.join("lib/node_modules/npm"))?;
    for (name, program) in [("npm", "npm-cli.js"), ("npx", "npx-cli.js")] {
        symlink(format!("../lib/node_modules/npm/bin/{program}"), runtime.join("bin").join(name))?;
    }
    Ok(())
}
