//! Changing an add-on's name or plan.

use super::create::{free_name, plan_of};
use super::{AddonInfo, find_in_app, with_app};
use crate::{Actor, Error, Ops, Result, access, partners, text};
use domain::AddonState;

/// What is to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct Update {
    pub name: Option<String>,
    pub plan: Option<String>,
}

/// Renames an add-on, or moves it to another plan.
pub async fn update(ops: &Ops, actor: &Actor, app: &str, identity: &str, input: Update) -> Result<AddonInfo> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let mut addon = find_in_app(&mut write, &app, identity).await?;
    let before = addon.clone();
    let catalog = ops.catalog();
    let service = catalog.service(&addon.service).ok_or_else(|| {
        Error::Conflict(format!("The service {} is not offered here any more.", addon.service))
    })?;
    if let Some(name) = input.name.filter(|name| *name != addon.name) {
        addon.name = free_name(&mut write, service, Some(name)).await?;
    }
    if let Some(plan) = &input.plan {
        let whole = if plan.contains(':') { plan.clone() } else { format!("{}:{plan}", service.name) };
        let (other, plan) = plan_of(&catalog, &whole)?;
        if other.name != service.name {
            return Err(Error::invalid(format!(
                "{} is of {}; it cannot become {}.",
                addon.name, service.name, other.name
            )));
        }
        if service.contract.is_some() {
            return partners::change(ops, actor, write, &app, addon, before, &plan.name).await;
        }
        let old = service.plan(&addon.plan);
        if old.is_none_or(|old| old.shared != plan.shared) {
            return Err(Error::invalid(format!(
                "{} cannot be moved from {} to {}: they are of different kinds. Create a new add-on, copy the data and promote it.",
                addon.name, addon.plan, plan.name
            )));
        }
        if old.is_some_and(|old| plan.disk < old.disk) {
            return Err(Error::invalid(format!(
                "{} has less disk than {}. Create a smaller add-on, copy the data and promote it.",
                plan.name, addon.plan
            )));
        }
        addon.plan.clone_from(&plan.name);
        // The service is told of them anew, with the plan's limits.
        for mut credential in store::credentials::of_addon(&mut write, addon.id).await? {
            if addon.state == AddonState::Provisioned && !credential.is_pending() {
                credential.next = Some(credential.values.clone());
                store::credentials::update(&mut write, &credential).await?;
            }
        }
        if let (false, Some(id)) = (plan.shared, addon.instance)
            && let Some(mut instance) = store::instances::by_id(&mut write, id).await?
        {
            instance.plan = Some(plan.name.clone());
            store::instances::update(&mut write, &instance).await?;
        }
    }
    let mut lines = Vec::new();
    if addon != before {
        addon.updated_at = ops.now();
        store::addons::update(&mut write, &addon).await?;
    }
    if addon.plan != before.plan {
        let plan = format!("{}:{}", addon.service, addon.plan);
        lines.push(text::by(&actor.account, format!("Update {} to {plan}", addon.name)));
    }
    if addon.name != before.name {
        lines.push(text::by(&actor.account, format!("Rename {} to {}", before.name, addon.name)));
    }
    let info = with_app(ops, &mut write, addon).await?;
    ops.commit(write, app.id, lines).await?;
    Ok(info)
}
