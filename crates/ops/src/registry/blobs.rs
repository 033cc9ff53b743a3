//! Blobs of repositories.

use super::{YOUNG, made, readable, room, writable};
use crate::{Actor, Error, Ops, Result, access};
use domain::{Digest, RepositoryBlob, RepositoryName};

/// A blob that somebody may pull. One that somebody is about to push a manifest of is kept for that.
pub async fn blob(
    ops: &Ops,
    actor: &Actor,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<RepositoryBlob> {
    let mut tx = ops.store().read().await?;
    let repository = readable(&mut tx, actor, name).await?;
    let found = store::registry::blobs::by_digest(&mut tx, repository.id, digest).await?;
    let found = found.ok_or_else(|| unknown(digest))?;
    let pushes = writable(&mut tx, actor, name).await.is_ok();
    drop(tx);
    if pushes && ops.now().duration_since(found.touched_at) > YOUNG {
        let mut write = ops.store().write().await?;
        // Only if it is still there: whoever deleted it meanwhile meant it.
        if store::registry::blobs::by_digest(&mut write, repository.id, digest).await?.is_none() {
            return Err(unknown(digest));
        }
        let young = RepositoryBlob { touched_at: ops.now(), ..found };
        store::registry::blobs::put(&mut write, repository.id, &young).await?;
        write.commit().await?;
    }
    Ok(found)
}

/// Takes a blob out of a repository.
pub async fn delete_blob(ops: &Ops, actor: &Actor, name: &RepositoryName, digest: &Digest) -> Result<()> {
    let mut write = ops.store().write().await?;
    let repository = writable(&mut write, actor, name).await?;
    if store::registry::manifests::is_part(&mut write, repository.id, digest).await? {
        return Err(Error::Conflict(format!(
            "A manifest of {name} is made of {digest}. Delete the manifest first."
        )));
    }
    if !store::registry::blobs::delete(&mut write, repository.id, digest).await? {
        return Err(unknown(digest));
    }
    Ok(write.commit().await?)
}

/// Makes a blob of another repository one of this repository as well, if the other one has it and may
/// be pulled from. Without a name, the app's own repositories are looked through.
pub async fn mount(
    ops: &Ops,
    actor: &Actor,
    name: &RepositoryName,
    digest: &Digest,
    from: Option<&RepositoryName>,
) -> Result<Option<RepositoryBlob>> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, name.app.as_str()).await?;
    let found = match from {
        None => store::registry::blobs::of_app(&mut write, app.id, digest).await?,
        Some(from) => match readable(&mut write, actor, from).await {
            Ok(source) => store::registry::blobs::by_digest(&mut write, source.id, digest).await?,
            // As if it had nothing: who may not read it is not told what is in it.
            Err(Error::Forbidden(_) | Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        },
    };
    let Some(found) = found else { return Ok(None) };
    let repository = made(ops, &mut write, actor, name).await?;
    room::for_blob(ops, &mut write, &repository, &found).await?;
    let young = RepositoryBlob { touched_at: ops.now(), ..found };
    store::registry::blobs::put(&mut write, repository.id, &young).await?;
    write.commit().await?;
    Ok(Some(young))
}

pub(super) fn unknown(digest: &Digest) -> Error {
    Error::NotFound { resource: "blob", message: format!("This repository has no blob {digest}.") }
}
