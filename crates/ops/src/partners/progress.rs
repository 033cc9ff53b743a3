//! What the loop that asks partners says about their answers. None of these takes an actor.

use super::shut_out;
use crate::addons::{failed_in, provisioned_in};
use crate::{Error, Ops, Result, attachments};
use ::addons::partner::Given;
use ::addons::{Contract, Definition};
use domain::{Addon, AddonId, AddonState, AppId, Credential, Drain, DrainId, Partner, Resource};
use std::collections::BTreeMap;
use store::Write;

/// All that is needed to ask a partner for something about an add-on.
pub struct Task {
    pub addon: Addon,
    /// The add-on's id, by which it was ordered.
    pub order_id: String,
    pub resource: Resource,
    pub partner: Partner,
    pub definition: Definition,
    pub contract: Contract,
}

/// What is known of an add-on; `None` once it, or its service, is gone.
pub async fn task(ops: &Ops, id: AddonId) -> Result<Option<Task>> {
    let mut tx = ops.store().read().await?;
    let Some(addon) = store::addons::by_id(&mut tx, id).await? else { return Ok(None) };
    let Some(resource) = store::resources::by_addon(&mut tx, id).await? else { return Ok(None) };
    let Some(partner) = store::partners::by_name(&mut tx, &addon.service).await? else { return Ok(None) };
    let Some(definition) = ops.catalog().service(&addon.service).cloned() else { return Ok(None) };
    let Some(contract) = definition.contract.clone() else { return Ok(None) };
    let order_id = addon.id.to_string();
    Ok(Some(Task { addon, order_id, resource, partner, definition, contract }))
}

/// A partner has an add-on ready, or has accepted to make it. An answer that cannot be true is told to
/// the caller in words, and changes nothing.
pub async fn ordered(ops: &Ops, id: AddonId, given: Given) -> Result<std::result::Result<(), String>> {
    let mut write = ops.store().write().await?;
    let Some((addon, mut resource)) = load(&mut write, id).await? else { return Ok(Ok(())) };
    if let Err(why) = name_it(&mut write, &addon, &mut resource, given.id.as_deref()).await? {
        return Ok(Err(why));
    }
    if !addon.state.is_there() {
        // Given up meanwhile: what came is given back under the name that it has.
        store::resources::put(&mut write, &resource).await?;
        write.commit().await?;
        return Ok(Ok(()));
    }
    resource.message = given.message.or(resource.message);
    if let Some(url) = given.log_drain_url
        && let Err(why) = add_drain(ops, &mut write, &addon, &mut resource, url).await?
    {
        return Ok(Err(why));
    }
    resource.accepted = given.later;
    store::resources::put(&mut write, &resource).await?;
    let config = given.config.unwrap_or_default();
    let mut said = update_values(ops, &mut write, &addon, config).await?;
    match addon.state {
        AddonState::Provisioning if given.later => {
            let mut addon = addon;
            (addon.attempts, addon.retry_at, addon.failure) = (0, None, None);
            store::addons::update(&mut write, &addon).await?;
        }
        AddonState::Provisioning => said.extend(provisioned_in(ops, &mut write, addon).await?),
        // The partner said that it is there before its answer was read.
        _ => {}
    }
    ops.commit_all(write, said).await?;
    Ok(Ok(()))
}

/// An add-on cannot be had. `nothing` says that the partner has nothing to take back; `name` is what it
/// calls that else, as far as it has said.
pub async fn refused(ops: &Ops, id: AddonId, why: &str, nothing: bool, name: Option<String>) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some((addon, mut resource)) = load(&mut write, id).await? else { return Ok(()) };
    if addon.state != AddonState::Provisioning {
        return Ok(());
    }
    // A name that is another add-on's is not this one's: that other one must stay.
    name_it(&mut write, &addon, &mut resource, name.as_deref()).await?.ok();
    resource.gone = nothing && resource.provider_id.is_none();
    store::resources::put(&mut write, &resource).await?;
    shut_out(&mut write, &addon).await?;
    let app = addon.app;
    let line = failed_in(ops, &mut write, addon, why).await?;
    ops.commit(write, app, vec![line]).await
}

/// A partner has moved an add-on to the plan that was wanted.
pub async fn changed(ops: &Ops, id: AddonId, plan: &str, given: Given) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some((mut addon, mut resource)) = load(&mut write, id).await? else { return Ok(()) };
    if addon.state != AddonState::Provisioned || resource.wanted_plan.as_deref() != Some(plan) {
        return Ok(());
    }
    plan.clone_into(&mut addon.plan);
    (addon.attempts, addon.retry_at, addon.failure) = (0, None, None);
    addon.updated_at = ops.now();
    store::addons::update(&mut write, &addon).await?;
    (resource.wanted_plan, resource.plan_refused) = (None, None);
    resource.message = given.message.or(resource.message);
    store::resources::put(&mut write, &resource).await?;
    let mut said = Vec::new();
    if let Some(config) = given.config {
        said = update_values(ops, &mut write, &addon, config).await?;
    }
    said.push((addon.app, vec![format!("{} was moved to {}:{plan}", addon.name, addon.service)]));
    ops.commit_all(write, said).await
}

/// A partner does not move an add-on to another plan.
pub async fn stays(ops: &Ops, id: AddonId, why: &str) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some((mut addon, mut resource)) = load(&mut write, id).await? else { return Ok(()) };
    let Some(wanted) = resource.wanted_plan.take() else { return Ok(()) };
    (addon.attempts, addon.retry_at, addon.failure) = (0, None, None);
    store::addons::update(&mut write, &addon).await?;
    resource.plan_refused = Some(why.to_owned());
    store::resources::put(&mut write, &resource).await?;
    let line = format!("{} was not moved to {}:{wanted}: {why}", addon.name, addon.service);
    ops.commit(write, addon.app, vec![line]).await
}

/// A partner has taken an add-on back.
pub async fn given_back(ops: &Ops, id: AddonId) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some((mut addon, mut resource)) = load(&mut write, id).await? else { return Ok(()) };
    if addon.state.is_there() {
        return Ok(());
    }
    (addon.attempts, addon.retry_at) = (0, None);
    store::addons::update(&mut write, &addon).await?;
    resource.gone = true;
    store::resources::put(&mut write, &resource).await?;
    Ok(write.commit().await?)
}

pub(super) async fn load(write: &mut Write, id: AddonId) -> Result<Option<(Addon, Resource)>> {
    let Some(addon) = store::addons::by_id(write, id).await? else { return Ok(None) };
    Ok(store::resources::by_addon(write, id).await?.map(|resource| (addon, resource)))
}

/// Takes down the partner's name for an add-on, which is its own and stays.
async fn name_it(
    write: &mut Write,
    addon: &Addon,
    resource: &mut Resource,
    name: Option<&str>,
) -> Result<std::result::Result<(), String>> {
    let Some(name) = name else { return Ok(Ok(())) };
    match &resource.provider_id {
        Some(known) if known == name => return Ok(Ok(())),
        Some(known) => return Ok(Err(format!("it calls the add-on {name:?} now, and {known:?} before"))),
        None => {}
    }
    for other in store::resources::list(write).await? {
        if other.addon != addon.id && other.provider_id.as_deref() == Some(name) {
            let other = store::addons::by_id(write, other.addon).await?;
            if let Some(other) = other.filter(|other| other.service == addon.service) {
                return Ok(Err(format!("it calls {} {name:?} already", other.name)));
            }
        }
    }
    resource.provider_id = Some(name.to_owned());
    Ok(Ok(()))
}

/// Lets the partner have the app's log.
pub(super) async fn add_drain(
    ops: &Ops,
    write: &mut Write,
    addon: &Addon,
    resource: &mut Resource,
    url: String,
) -> Result<std::result::Result<(), String>> {
    if resource.drain.is_some() {
        return Ok(Ok(()));
    }
    if let Err(error) = crate::drains::check_url(&url) {
        return Ok(Err(format!("its log_drain_url is not right: {error}")));
    }
    let now = ops.now();
    let drain = Drain {
        id: DrainId::new(),
        app: addon.app,
        url,
        token: resource.drain_token.clone(),
        addon: Some(addon.id),
        created_at: now,
        updated_at: now,
    };
    store::drains::insert(write, &drain).await?;
    resource.drain = Some(drain.id);
    Ok(Ok(()))
}

/// Gives apps other values, which makes releases. Values that are not named stay.
pub(super) async fn update_values(
    ops: &Ops,
    write: &mut Write,
    addon: &Addon,
    values: BTreeMap<String, String>,
) -> Result<Vec<(AppId, Vec<String>)>> {
    let own = store::credentials::by_name(write, addon.id, Credential::DEFAULT).await?;
    let Some(mut own) = own else { return Ok(Vec::new()) };
    own.values.extend(values);
    store::credentials::update(write, &own).await?;
    let mut said = Vec::new();
    for attachment in store::attachments::of_addon(write, addon.id).await? {
        let app = store::apps::by_id(write, attachment.app).await?;
        let mut app = app.ok_or_else(|| Error::not_found("app"))?;
        let Some(user) = crate::addons::in_whose_name(write, addon, &app).await? else { continue };
        let what = format!("Update {} by {}", attachment.name, addon.service);
        let lines = attachments::refresh(ops, write, &mut app, &user, vec![what]).await?;
        said.push((app.id, lines));
    }
    Ok(said)
}
