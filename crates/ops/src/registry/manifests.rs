//! Manifests and tags.

use super::{made, readable, room, writable};
use crate::{Actor, Error, Ops, Result};
use domain::{Digest, Manifest, Reference, Repository, RepositoryName, Tag};
use std::collections::BTreeMap;
use store::{Write, registry as rows};

/// A manifest to be put, as far as it was understood.
#[derive(Clone, Debug)]
pub struct NewManifest {
    pub digest: Digest,
    pub media_type: String,
    pub size: u64,
    pub config: Option<Digest>,
    pub artifact_type: Option<String>,
    pub subject: Option<Digest>,
    pub annotations: BTreeMap<String, String>,
    /// Blobs it is made of, which have to be in the repository.
    pub blobs: Vec<Digest>,
    /// Manifests it is made of, which have to be there, too.
    pub manifests: Vec<Digest>,
}

/// Whether there is room for a manifest, for whoever stores its text before a row refers to it.
pub async fn may_put(ops: &Ops, name: &RepositoryName, new: &NewManifest) -> Result<()> {
    let mut tx = ops.store().read().await?;
    let Some(app) = store::apps::by_name(&mut tx, &name.app).await? else { return Ok(()) };
    match rows::by_name(&mut tx, app.id, &name.rest).await? {
        Some(repository) => room::for_manifest(ops, &mut tx, &repository, &new.digest, new.size).await,
        None if new.size <= room::left(ops, &mut tx, app.id).await? => Ok(()),
        None => Err(room::none(ops)),
    }
}

/// Puts a manifest whose text is in the image store, and points tags at it.
pub async fn put_manifest(
    ops: &Ops,
    actor: &Actor,
    name: &RepositoryName,
    new: NewManifest,
    tags: &[Tag],
) -> Result<()> {
    let mut write = ops.store().write().await?;
    let whole = made(ops, &mut write, actor, name).await?;
    let repository = whole.id;
    for (parts, what) in [(&new.blobs, "blob"), (&new.manifests, "manifest")] {
        for part in parts {
            let there = if what == "blob" {
                rows::blobs::by_digest(&mut write, repository, part).await?.is_some()
            } else {
                rows::manifests::by_digest(&mut write, repository, part).await?.is_some()
            };
            if !there {
                let message =
                    format!("The repository {name} does not have the {what} {part} of this manifest.");
                return Err(Error::NotFound { resource: "part", message });
            }
        }
    }
    put(ops, &mut write, &whole, new, tags).await?;
    Ok(write.commit().await?)
}

/// Puts a manifest whose parts are there, and points tags at it.
pub(super) async fn put(
    ops: &Ops,
    write: &mut Write,
    repository: &Repository,
    new: NewManifest,
    tags: &[Tag],
) -> Result<()> {
    room::for_manifest(ops, write, repository, &new.digest, new.size).await?;
    let repository = repository.id;
    check_number(ops, write, repository, &new.digest, tags).await?;
    let now = ops.now();
    let parts: Vec<_> = new.blobs.iter().chain(&new.manifests).copied().collect();
    let manifest = Manifest {
        repository,
        digest: new.digest,
        media_type: new.media_type,
        size: new.size,
        config: new.config,
        artifact_type: new.artifact_type,
        subject: new.subject,
        annotations: new.annotations,
        touched_at: now,
    };
    rows::manifests::put(write, &manifest, &parts).await?;
    for tag in tags {
        let before = rows::tags::put(write, repository, tag, &new.digest, now).await?;
        if let Some(before) = before.filter(|before| *before != new.digest) {
            // Its time without a tag begins now.
            rows::manifests::touch(write, repository, &before, now).await?;
        }
    }
    Ok(())
}

async fn check_number(
    ops: &Ops,
    write: &mut Write,
    repository: domain::RepositoryId,
    digest: &Digest,
    tags: &[Tag],
) -> Result<()> {
    let (max_manifests, max_tags) = (ops.settings().max_manifests, ops.settings().max_tags);
    let known = rows::manifests::by_digest(write, repository, digest).await?.is_some();
    if !known && rows::manifests::count(write, repository).await? >= max_manifests {
        return Err(Error::Forbidden(format!("A repository can have {max_manifests} manifests at most.")));
    }
    let mut new = 0;
    for tag in tags {
        new += usize::from(rows::tags::digest_of(write, repository, tag).await?.is_none());
    }
    if new > 0 && rows::tags::count(write, repository).await? + new > max_tags {
        return Err(Error::Forbidden(format!("A repository can have {max_tags} tags at most.")));
    }
    Ok(())
}

/// A manifest that somebody may pull, by tag or digest.
pub async fn manifest(
    ops: &Ops,
    actor: &Actor,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Manifest> {
    let mut tx = ops.store().read().await?;
    let repository = readable(&mut tx, actor, name).await?.id;
    let digest = match reference {
        Reference::Digest(digest) => Some(*digest),
        Reference::Tag(tag) => rows::tags::digest_of(&mut tx, repository, tag).await?,
    };
    let found = match digest {
        Some(digest) => rows::manifests::by_digest(&mut tx, repository, &digest).await?,
        None => None,
    };
    found.ok_or_else(|| unknown(name, reference))
}

/// Removes a manifest and all tags that point at it.
pub async fn delete_manifest(ops: &Ops, actor: &Actor, name: &RepositoryName, digest: &Digest) -> Result<()> {
    let mut write = ops.store().write().await?;
    let repository = writable(&mut write, actor, name).await?.id;
    if rows::manifests::is_part(&mut write, repository, digest).await? {
        return Err(Error::Conflict(format!(
            "An index of {name} has the manifest {digest}. Delete the index first."
        )));
    }
    if !rows::manifests::delete(&mut write, repository, digest).await? {
        return Err(unknown(name, &Reference::Digest(*digest)));
    }
    Ok(write.commit().await?)
}

/// Removes a tag. Its manifest stays a while, and longer if anything else refers to it.
pub async fn delete_tag(ops: &Ops, actor: &Actor, name: &RepositoryName, tag: &Tag) -> Result<()> {
    let mut write = ops.store().write().await?;
    let repository = writable(&mut write, actor, name).await?.id;
    let digest = rows::tags::digest_of(&mut write, repository, tag).await?;
    let digest = digest.ok_or_else(|| unknown(name, &Reference::Tag(tag.clone())))?;
    rows::tags::delete(&mut write, repository, tag).await?;
    rows::manifests::touch(&mut write, repository, &digest, ops.now()).await?;
    Ok(write.commit().await?)
}

/// At most `limit` tags of a repository after `last`, in the order of their bytes.
pub async fn tags(
    ops: &Ops,
    actor: &Actor,
    name: &RepositoryName,
    last: Option<&str>,
    limit: usize,
) -> Result<Vec<Tag>> {
    let mut tx = ops.store().read().await?;
    let repository = readable(&mut tx, actor, name).await?;
    Ok(rows::tags::list(&mut tx, repository.id, last, limit).await?)
}

/// At most `limit` manifests about `subject` after `last`, by digest; of one kind of artifact, if one
/// is named. A repository that is not there has none.
pub async fn referrers(
    ops: &Ops,
    actor: &Actor,
    name: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    last: Option<&Digest>,
    limit: usize,
) -> Result<Vec<Manifest>> {
    let mut tx = ops.store().read().await?;
    let repository = match readable(&mut tx, actor, name).await {
        Ok(repository) => repository,
        Err(Error::NotFound { resource: "repository", .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(rows::manifests::referrers(&mut tx, repository.id, subject, artifact_type, last, limit).await?)
}

fn unknown(name: &RepositoryName, reference: &Reference) -> Error {
    Error::NotFound {
        resource: "manifest",
        message: format!("The repository {name} has no manifest {reference}."),
    }
}
