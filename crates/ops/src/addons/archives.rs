//! What the loop that keeps add-ons' past says about it. None of these takes an actor.

use crate::{Ops, Result};
use domain::{Addon, AddonId, Archive};
use jiff::Timestamp;
use store::Write;

/// What there is after a whole copy was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub taken_at: Timestamp,
    pub earliest: Timestamp,
    /// Of all that is kept.
    pub bytes: u64,
}

/// A whole copy was made.
pub async fn taken(ops: &Ops, id: AddonId, taken: Taken) -> Result<()> {
    change(ops, id, |archive| {
        let failed = archive.attempts > 0;
        (archive.taken_at, archive.earliest) = (Some(taken.taken_at), Some(taken.earliest));
        archive.bytes = taken.bytes;
        (archive.failure, archive.attempts, archive.retry_at) = (None, 0, None);
        failed.then(|| "Base backup of {} made after failures".to_owned())
    })
    .await
}

/// A copy could not be made and is tried again then.
pub async fn not_taken(ops: &Ops, id: AddonId, why: &str, retry_at: Timestamp) -> Result<()> {
    change(ops, id, |archive| {
        archive.attempts = archive.attempts.saturating_add(1);
        archive.retry_at = Some(retry_at);
        archive.failure = Some(why.to_owned());
        (archive.attempts == 1).then(|| format!("Base backup of {{}} failed and is tried again: {why}"))
    })
    .await
}

/// Changes cannot be kept, or for `None` can again.
pub async fn failing(ops: &Ops, id: AddonId, why: Option<&str>) -> Result<()> {
    change(ops, id, |archive| match why {
        Some(why) if archive.failure.is_none() => {
            archive.failure = Some(why.to_owned());
            Some(format!("Continuous protection of {{}} fails: {why}"))
        }
        None if archive.failure.is_some() && archive.attempts == 0 => {
            archive.failure = None;
            Some("Continuous protection of {} works again".to_owned())
        }
        _ => None,
    })
    .await
}

/// Changes were lost, so that nothing before the next copy can be had any more.
pub async fn torn(ops: &Ops, id: AddonId) -> Result<()> {
    change(ops, id, |archive| {
        let known = archive.taken_at.take().is_some();
        archive.earliest = None;
        known.then(|| {
            "Continuous protection of {} was interrupted: changes were not kept, so that it cannot be rolled \
             back before the next base backup"
                .to_owned()
        })
    })
    .await
}

/// `{}` in what is said stands for the add-on's name.
async fn change(ops: &Ops, id: AddonId, how: impl FnOnce(&mut Archive) -> Option<String>) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(addon) = store::addons::by_id(&mut write, id).await? else { return Ok(()) };
    let before = of(&mut write, &addon).await?;
    let mut archive = before.clone();
    let said = how(&mut archive).map(|said| said.replace("{}", &addon.name));
    if archive != before {
        store::archives::set(&mut write, &archive).await?;
        ops.commit(write, addon.app, said.into_iter().collect()).await?;
    }
    Ok(())
}

async fn of(write: &mut Write, addon: &Addon) -> Result<Archive> {
    let known = store::archives::of_addon(write, addon.id).await?;
    Ok(known.unwrap_or_else(|| Archive::new(addon.id)))
}
