//! How much an app's repositories may hold: blobs, manifests, and what is on its way.

use crate::{Error, Ops, Result};
use domain::{AppId, Digest, Repository, RepositoryBlob};
use store::{Tx, registry as rows};

/// Bytes that an app's repositories may still take.
pub(super) async fn left(ops: &Ops, tx: &mut Tx, app: AppId) -> Result<u64> {
    Ok(ops.settings().max_registry_bytes.saturating_sub(rows::bytes(tx, app).await?))
}

/// Refuses a blob that there is no room for, unless it is there already.
pub(super) async fn for_blob(
    ops: &Ops,
    tx: &mut Tx,
    repository: &Repository,
    blob: &RepositoryBlob,
) -> Result<()> {
    let known = rows::blobs::by_digest(tx, repository.id, &blob.digest).await?.is_some();
    if known || blob.size <= left(ops, tx, repository.app).await? { Ok(()) } else { Err(none(ops)) }
}

/// Refuses a manifest that there is no room for, unless it is there already.
pub(super) async fn for_manifest(
    ops: &Ops,
    tx: &mut Tx,
    repository: &Repository,
    digest: &Digest,
    size: u64,
) -> Result<()> {
    let known = rows::manifests::by_digest(tx, repository.id, digest).await?.is_some();
    if known || size <= left(ops, tx, repository.app).await? { Ok(()) } else { Err(none(ops)) }
}

/// What somebody is told for whom there is none.
pub(super) fn none(ops: &Ops) -> Error {
    Error::Forbidden(format!(
        "The repositories of this app would take more than {} MiB. Delete images that are not needed any \
         more, or ask whoever runs this server for more room.",
        ops.settings().max_registry_bytes >> 20
    ))
}
