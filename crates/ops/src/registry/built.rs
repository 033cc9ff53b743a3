//! Images that were built here: as on Heroku they are in the app's repositories, like pushed ones.

use super::manifests::{NewManifest, put};
use super::{made_for, room};
use crate::{Error, Ops, Result};
use domain::{App, Digest, ProcessType, RepositoryBlob, RepositoryName, Tag};
use store::{Write, registry as rows};

/// An image that a build made for a process type.
#[derive(Clone, Debug)]
pub struct Built {
    pub process_type: ProcessType,
    pub manifest: NewManifest,
    /// The blobs that it is made of, with their sizes.
    pub blobs: Vec<(Digest, u64)>,
}

/// Puts images into the repositories of their process types, with the tag that a push without one
/// has. Returns what the app's log is to say: an image that finds no room there runs all the same.
pub(crate) async fn keep_built(
    ops: &Ops,
    write: &mut Write,
    app: &App,
    images: Vec<Built>,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for image in images {
        let name = format!("{}/{}", app.name, image.process_type);
        match keep(ops, write, app, &name, image).await {
            Ok(()) => {}
            Err(Error::Forbidden(why) | Error::InvalidParams(why)) => {
                lines.push(format!("The image is released, but not kept as {name} in the registry: {why}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(lines)
}

async fn keep(ops: &Ops, write: &mut Write, app: &App, name: &str, image: Built) -> Result<()> {
    let name = RepositoryName::parse(name)?;
    let tag = Tag::parse("latest")?;
    let repository = made_for(ops, write, app, &name).await?;
    // All or nothing, before a row is written.
    let mut size = image.manifest.size;
    for (digest, bytes) in &image.blobs {
        let there = rows::blobs::by_digest(write, repository.id, digest).await?.is_some();
        size += if there { 0 } else { *bytes };
    }
    if size > room::left(ops, write, app.id).await? {
        return Err(room::none(ops));
    }
    let now = ops.now();
    for (digest, size) in image.blobs {
        let blob = RepositoryBlob { digest, size, touched_at: now };
        rows::blobs::put(write, repository.id, &blob).await?;
    }
    put(ops, write, &repository, image.manifest, &[tag]).await
}
