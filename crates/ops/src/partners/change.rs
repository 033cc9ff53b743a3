//! Moving a partner's add-on to another plan: asked for here, done by the loop that asks the partner.

use crate::addons::{AddonInfo, with_app};
use crate::{Actor, Error, Ops, Result, text};
use domain::{Addon, AddonState, App};
use std::time::Duration;
use store::{Table, Write};

/// Asks for another plan, and writes what else is to change about the add-on.
pub(crate) async fn change(
    ops: &Ops,
    actor: &Actor,
    mut write: Write,
    app: &App,
    mut addon: Addon,
    before: Addon,
    plan: &str,
) -> Result<AddonInfo> {
    let missing = crate::addons::missing;
    let mut resource = store::resources::by_addon(&mut write, addon.id).await?.ok_or_else(missing)?;
    let mut lines = Vec::new();
    if plan != addon.plan || resource.wanted_plan.is_some() {
        if addon.state != AddonState::Provisioned {
            let why = format!("{} is not there yet. Wait for it with `heroku addons:wait`.", addon.name);
            return Err(Error::Conflict(why));
        }
        if let Some(wanted) = &resource.wanted_plan {
            let why = format!("{} is on its way to the plan {wanted} already.", addon.name);
            return Err(Error::Conflict(why));
        }
        (addon.attempts, addon.retry_at) = (0, None);
        (resource.wanted_plan, resource.plan_refused) = (Some(plan.to_owned()), None);
        store::resources::put(&mut write, &resource).await?;
        lines.push(text::by(&actor.account, format!("Update {} to {}:{plan}", before.name, addon.service)));
    }
    if addon.name != before.name {
        lines.push(text::by(&actor.account, format!("Rename {} to {}", before.name, addon.name)));
    }
    addon.updated_at = ops.now();
    store::addons::update(&mut write, &addon).await?;
    let info = with_app(ops, &mut write, addon).await?;
    ops.commit(write, app.id, lines).await?;
    Ok(info)
}

/// Waits until a partner has moved an add-on to the plan that is wanted, if one is. An error says that it
/// does not, or that it takes longer.
pub async fn plan_settled(ops: &Ops, info: AddonInfo, patience: Duration) -> Result<AddonInfo> {
    let Some(wanted) = info.resource.as_ref().and_then(|resource| resource.wanted_plan.clone()) else {
        return Ok(info);
    };
    let (id, mut changes) = (info.addon.id, ops.store().changes_of(Table::Addons));
    let wait = async {
        loop {
            changes.mark_unchanged();
            let mut tx = ops.store().read().await?;
            let addon = store::addons::by_id(&mut tx, id).await?.ok_or_else(crate::addons::missing)?;
            let now = with_app(ops, &mut tx, addon).await?;
            drop(tx);
            match &now.resource {
                Some(resource) if resource.wanted_plan.is_some() => {}
                Some(resource) if now.addon.plan != wanted => {
                    let why = resource.plan_refused.clone();
                    return Err(Error::invalid(why.unwrap_or_else(|| "The plan has not changed.".into())));
                }
                _ => return Ok(now),
            }
            if changes.changed().await.is_err() {
                return Ok(now);
            }
        }
    };
    let late = format!(
        "The service does not answer at the moment. {} moves to {wanted} as soon as it does; see `heroku addons:info`.",
        info.addon.name
    );
    tokio::time::timeout(patience, wait).await.unwrap_or(Err(Error::Conflict(late)))
}
