//! Clearing away what repositories do not need any more.

use crate::{Ops, Result};
use jiff::SignedDuration;
use store::registry as rows;

/// How many rows went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub manifests: u64,
    pub blobs: u64,
    pub uploads: u64,
    pub repositories: u64,
}

/// Removes manifests without a tag that nothing refers to, blobs that no manifest is made of, and
/// uploads, all when nobody touched them for `grace`; and then repositories with nothing in them.
/// Called by the loop that clears away. What a release runs is kept by its slug, tagged or not.
pub async fn sweep(ops: &Ops, grace: SignedDuration) -> Result<Swept> {
    let now = ops.now();
    let before = now.checked_sub(grace).unwrap_or(now);
    let mut write = ops.store().write().await?;
    let uploads = rows::uploads::delete_old(&mut write, before).await?;
    let manifests = rows::manifests::delete_unused(&mut write, before).await?;
    let blobs = rows::blobs::delete_unused(&mut write, before).await?;
    let repositories = rows::delete_empty(&mut write, before).await?;
    write.commit().await?;
    Ok(Swept { manifests, blobs, uploads, repositories })
}
