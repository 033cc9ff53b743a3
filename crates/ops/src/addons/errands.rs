//! What is asked of an add-on beside its plan: settings, and other things that a hook does once. What is
//! asked for here is a wish: a loop runs the hook, and says with [`errand_done`] and [`errand_failed`]
//! how that went.

use super::{find, missing, origin};
use crate::{Actor, Error, Ops, Permission, Result, text};
use domain::{Addon, AddonId, AddonState, Errand, ErrandId, ErrandKind};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Table, Write};

/// Failed attempts after which an errand is given up.
const ATTEMPTS: u32 = 6;

/// Sets what users can set at an add-on; `values` by the names of the service's definition.
pub async fn configure(
    ops: &Ops,
    actor: &Actor,
    identity: &str,
    values: BTreeMap<String, String>,
) -> Result<Errand> {
    let mut write = ops.store().write().await?;
    let addon = provisioned(&mut write, actor, identity).await?;
    let service = ops.settings().catalog.service(&addon.service).ok_or_else(missing)?;
    let mut said = Vec::new();
    for (name, value) in &values {
        let setting = service.settings.get(name).ok_or_else(|| {
            let names: Vec<_> = service.settings.keys().map(String::as_str).collect();
            Error::invalid(format!("There is no setting {name}. There are: {}.", names.join(", ")))
        })?;
        setting.check(value).map_err(|why| Error::invalid(format!("{name} cannot be set: {why}.")))?;
        store::settings::set(&mut write, addon.id, name, value).await?;
        said.push(text::by(&actor.account, format!("Set {name} of {} to {value:?}", addon.name)));
    }
    ask(ops, write, addon, ErrandKind::Settings, said).await
}

/// Lets an add-on's statistics begin anew.
pub async fn reset_stats(ops: &Ops, actor: &Actor, identity: &str) -> Result<Errand> {
    let mut write = ops.store().write().await?;
    let addon = provisioned(&mut write, actor, identity).await?;
    let said = vec![text::by(&actor.account, format!("Reset statistics of {}", addon.name))];
    ask(ops, write, addon, ErrandKind::ResetStats, said).await
}

/// Lets an add-on follow another one no more, and be written to.
pub async fn unfollow(ops: &Ops, actor: &Actor, identity: &str) -> Result<Errand> {
    let mut write = ops.store().write().await?;
    let addon = provisioned(&mut write, actor, identity).await?;
    let Some(leader) = origin::leader(&mut write, addon.id).await? else {
        return Err(Error::invalid(format!("{} is not a follower.", addon.name)));
    };
    let said = vec![text::by(&actor.account, format!("Unfollow {} from {leader}", addon.name))];
    ask(ops, write, addon, ErrandKind::Unfollow, said).await
}

/// An add-on that one may change, and that is there.
async fn provisioned(write: &mut Write, actor: &Actor, identity: &str) -> Result<Addon> {
    let addon = find(write, actor, identity, Permission::Write).await?;
    if addon.state != AddonState::Provisioned {
        let why = format!("{} is not there yet. Wait for it with `heroku addons:wait`.", addon.name);
        return Err(Error::Conflict(why));
    }
    Ok(addon)
}

async fn ask(
    ops: &Ops,
    mut write: Write,
    addon: Addon,
    kind: ErrandKind,
    said: Vec<String>,
) -> Result<Errand> {
    let errand = new(ops, addon.id, kind);
    store::errands::replace(&mut write, &errand).await?;
    ops.commit(write, addon.app, said).await?;
    Ok(errand)
}

pub(super) fn new(ops: &Ops, addon: AddonId, kind: ErrandKind) -> Errand {
    Errand {
        id: ErrandId::new(),
        addon,
        kind,
        attempts: 0,
        retry_at: None,
        failure: None,
        given_up: false,
        created_at: ops.now(),
    }
}

/// Waits until an errand is done. An error says why it cannot be, or that it takes longer.
pub async fn errand_settled(ops: &Ops, errand: &Errand, patience: Duration) -> Result<()> {
    let mut changes = ops.store().changes_of(Table::Addons);
    let wait = async {
        loop {
            changes.mark_unchanged();
            let mut tx = ops.store().read().await?;
            match store::errands::by_id(&mut tx, errand.id).await? {
                None => return Ok(()),
                Some(Errand { given_up: true, failure, .. }) => {
                    let why = failure.unwrap_or_default();
                    return Err(Error::Conflict(format!("The service did not take it: {why}")));
                }
                Some(_) => {}
            }
            drop(tx);
            if changes.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    let late = "The service does not answer at the moment. It is told as soon as it does.";
    tokio::time::timeout(patience, wait).await.unwrap_or_else(|_| Err(Error::Conflict(late.into())))
}

/// A hook did it. Takes no actor, as the next ones.
pub async fn errand_done(ops: &Ops, id: ErrandId) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(errand) = store::errands::by_id(&mut write, id).await? else { return Ok(()) };
    store::errands::delete(&mut write, id).await?;
    let follower = store::addons::by_id(&mut write, errand.addon).await?;
    if let (ErrandKind::Unfollow, Some(addon)) = (errand.kind, follower) {
        origin::released(ops, &mut write, &addon).await?;
        let line = format!("{} stands alone and can be written to", addon.name);
        return ops.commit(write, addon.app, vec![line]).await;
    }
    Ok(write.commit().await?)
}

/// An attempt failed; it is repeated, but not for ever.
pub async fn errand_failed(ops: &Ops, id: ErrandId, why: &str, retry_at: Timestamp) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut errand) = store::errands::by_id(&mut write, id).await? else { return Ok(()) };
    errand.attempts = errand.attempts.saturating_add(1);
    errand.retry_at = Some(retry_at);
    errand.failure = Some(why.to_owned());
    errand.given_up = errand.attempts >= ATTEMPTS;
    store::errands::update(&mut write, &errand).await?;
    Ok(write.commit().await?)
}

/// What an add-on said about itself.
pub async fn sampled(ops: &Ops, id: AddonId, samples: &BTreeMap<String, String>) -> Result<()> {
    let mut write = ops.store().write().await?;
    store::settings::set_samples(&mut write, id, samples, ops.now()).await?;
    Ok(write.commit().await?)
}
