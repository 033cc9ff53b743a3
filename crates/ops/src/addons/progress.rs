//! What the loop that makes add-ons says about them. None of these takes an actor.

use crate::attachments;
use crate::{Ops, Result};
use domain::{Account, Addon, AddonId, AddonState, App, AppId, InstanceId};
use jiff::Timestamp;
use store::Write;

/// An add-on is there: its attachments get their config vars, which makes releases.
pub async fn provisioned(ops: &Ops, id: AddonId) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(addon) = in_state(&mut write, id, AddonState::Provisioning).await? else { return Ok(()) };
    let said = provisioned_in(ops, &mut write, addon).await?;
    ops.commit_all(write, said).await
}

/// As [`provisioned`], in a transaction that does more. Returns what logs are to say.
pub(crate) async fn provisioned_in(
    ops: &Ops,
    write: &mut Write,
    mut addon: Addon,
) -> Result<Vec<(AppId, Vec<String>)>> {
    addon.state = AddonState::Provisioned;
    (addon.attempts, addon.retry_at, addon.failure) = (0, None, None);
    addon.updated_at = ops.now();
    store::addons::update(write, &addon).await?;
    for mut credential in store::credentials::of_addon(write, addon.id).await? {
        credential.active = true;
        store::credentials::update(write, &credential).await?;
    }
    let mut said = Vec::new();
    for attachment in store::attachments::of_addon(write, addon.id).await? {
        let Some(mut app) = store::apps::by_id(write, attachment.app).await? else { continue };
        let Some(user) = in_whose_name(write, &addon, &app).await? else { continue };
        let what = format!("Attach {} (@ref:{})", attachment.name, addon.name);
        let lines = attachments::refresh(ops, write, &mut app, &user, vec![what]).await?;
        said.push((app.id, lines));
    }
    Ok(said)
}

/// The account for releases that an add-on causes in an app.
pub(crate) async fn in_whose_name(write: &mut Write, addon: &Addon, app: &App) -> Result<Option<Account>> {
    match store::accounts::by_id(write, addon.user).await? {
        Some(user) => Ok(Some(user)),
        None => Ok(store::accounts::by_id(write, app.owner).await?),
    }
}

/// An attempt failed and is repeated later. The add-on stays what it was.
pub async fn later(ops: &Ops, id: AddonId, why: &str, retry_at: Timestamp) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut addon) = store::addons::by_id(&mut write, id).await? else { return Ok(()) };
    addon.attempts = addon.attempts.saturating_add(1);
    addon.retry_at = Some(retry_at);
    addon.failure = Some(why.to_owned());
    store::addons::update(&mut write, &addon).await?;
    Ok(write.commit().await?)
}

/// An add-on could not be provisioned and is not tried again. What there is of it is taken away.
pub async fn failed(ops: &Ops, id: AddonId, why: &str) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(addon) = in_state(&mut write, id, AddonState::Provisioning).await? else { return Ok(()) };
    let (app, line) = (addon.app, failed_in(ops, &mut write, addon, why).await?);
    ops.commit(write, app, vec![line]).await
}

/// As [`failed`], in a transaction that does more. Returns what the log is to say.
pub(crate) async fn failed_in(ops: &Ops, write: &mut Write, mut addon: Addon, why: &str) -> Result<String> {
    addon.state = AddonState::Failed;
    (addon.attempts, addon.retry_at) = (0, None);
    addon.failure = Some(why.to_owned());
    addon.updated_at = ops.now();
    store::addons::update(write, &addon).await?;
    for attachment in store::attachments::of_addon(write, addon.id).await? {
        store::attachments::delete(write, attachment.id).await?;
    }
    Ok(format!("{} could not be provisioned: {why}", addon.name))
}

/// Nothing is left of an add-on but its row, which goes now. One that failed keeps it until `keep` says
/// otherwise; a container of its own is to be taken away.
pub async fn gone(ops: &Ops, id: AddonId, keep: bool) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut addon) = store::addons::by_id(&mut write, id).await? else { return Ok(()) };
    if addon.state.is_there() {
        return Ok(());
    }
    if let Some(instance) = addon.instance.take() {
        store::addons::update(&mut write, &addon).await?;
        let own = store::instances::by_id(&mut write, instance).await?.filter(|one| one.plan.is_some());
        if let Some(mut own) = own {
            own.removed = true;
            store::instances::update(&mut write, &own).await?;
        }
    }
    if !keep {
        store::addons::delete(&mut write, id).await?;
    }
    Ok(write.commit().await?)
}

/// Nothing is left of an instance.
pub async fn instance_gone(ops: &Ops, id: InstanceId) -> Result<()> {
    let mut write = ops.store().write().await?;
    store::instances::delete(&mut write, id).await?;
    Ok(write.commit().await?)
}

/// An instance ended, or could not be started; it is tried again then. Who waits for an add-on of its own is
/// told `why`, if it does not come up.
pub async fn instance_failed(ops: &Ops, id: InstanceId, why: &str, retry_at: Timestamp) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut instance) = store::instances::by_id(&mut write, id).await? else { return Ok(()) };
    instance.failures = instance.failures.saturating_add(1);
    instance.retry_at = Some(retry_at);
    store::instances::update(&mut write, &instance).await?;
    for mut addon in store::addons::of_instance(&mut write, id).await? {
        if instance.plan.is_some() && addon.state == AddonState::Provisioning && !why.is_empty() {
            addon.failure = Some(why.to_owned());
            store::addons::update(&mut write, &addon).await?;
        }
    }
    Ok(write.commit().await?)
}

/// An instance has been up for a while: what was before is forgotten.
pub async fn instance_up(ops: &Ops, id: InstanceId) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut instance) = store::instances::by_id(&mut write, id).await? else { return Ok(()) };
    (instance.failures, instance.retry_at) = (0, None);
    store::instances::update(&mut write, &instance).await?;
    Ok(write.commit().await?)
}

async fn in_state(write: &mut Write, id: AddonId, state: AddonState) -> Result<Option<Addon>> {
    Ok(store::addons::by_id(write, id).await?.filter(|addon| addon.state == state))
}
