//! Old slugs: what nothing runs and nobody is likely to roll back to.

use crate::{Ops, Result};
use domain::{AppId, ReleaseStatus, SlugId};
use jiff::SignedDuration;

/// A slug that a client uploads and never releases is kept for so long.
const UNRELEASED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Gives up the images of slugs that only releases further back than the `keep` newest use, and of
/// those that nobody released for a week. Called by the loop that clears away. Returns how many.
pub async fn expire_old(ops: &Ops, app: AppId, keep: usize) -> Result<usize> {
    let mut write = ops.store().write().await?;
    let releases = store::releases::list(&mut write, app).await?;
    let Some(row) = store::apps::by_id(&mut write, app).await? else { return Ok(0) };
    let kept: Vec<SlugId> = releases
        .iter()
        .rev()
        .enumerate()
        .filter(|(back, release)| {
            *back < keep
                || release.status == ReleaseStatus::Pending
                || row.current_release == Some(release.id)
        })
        .filter_map(|(_, release)| release.slug)
        .collect();
    let mut in_use: Vec<SlugId> = kept;
    for dyno in store::dynos::list(&mut write, app).await? {
        in_use.extend(
            releases.iter().find(|release| release.id == dyno.release).and_then(|release| release.slug),
        );
    }
    let mut count = 0;
    for slug in store::slugs::list(&mut write, app).await? {
        let released = releases.iter().any(|release| release.slug == Some(slug.id));
        let given_up = released || ops.now().duration_since(slug.created_at) > UNRELEASED;
        if slug.has_image() && given_up && !in_use.contains(&slug.id) {
            store::slugs::expire(&mut write, slug.id, ops.now()).await?;
            count += 1;
        }
    }
    if count > 0 {
        write.commit().await?;
    }
    Ok(count)
}
