//! A partner that calls: who it is, and what it may see and do. With a token that is one add-on, with the
//! service's own name and password each add-on of the service; nothing else.

use super::progress::update_values;
use super::shut_out;
use super::tokens::{is_good, same};
use crate::addons::{AddonInfo, failed_in, missing, provisioned_in, with_app};
use crate::apps::AppInfo;
use crate::attachments::AttachmentInfo;
use crate::{Error, Ops, Result, rate_limits};
use ::addons::partner::declared;
use domain::{Addon, AddonId, AddonState, Credential, PartnerTokenKind, Resource};
use std::collections::BTreeMap;
use store::Tx;

/// Whom a partner may speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One add-on.
    Addon(AddonId),
    /// All of a service.
    Service(String),
}

/// A partner that was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub scope: Scope,
}

/// Recognises a partner by an access token.
pub async fn authenticate(ops: &Ops, token: &str) -> Result<Option<Caller>> {
    let mut tx = ops.store().read().await?;
    let found = store::partner_tokens::by_secret(&mut tx, token).await?;
    let good = found.filter(|one| one.kind == PartnerTokenKind::Access && is_good(one, ops.now()));
    Ok(good.map(|one| Caller { scope: Scope::Addon(one.addon) }))
}

/// Recognises a partner by its service's name and password.
pub async fn authenticate_service(ops: &Ops, name: &str, password: &str) -> Result<Option<Caller>> {
    let partner = store::partners::by_name(&mut ops.store().read().await?, name).await?;
    let Some(partner) = partner else { return Ok(None) };
    rate_limits::try_password(ops, name)?;
    let known = Some(partner).filter(|partner| same(&partner.password, password));
    if known.is_some() {
        rate_limits::forget_passwords(ops, name);
    }
    Ok(known.map(|partner| Caller { scope: Scope::Service(partner.name) }))
}

/// One of the caller's add-ons by name or id.
pub async fn addon(ops: &Ops, caller: &Caller, identity: &str) -> Result<AddonInfo> {
    let mut tx = ops.store().read().await?;
    let (addon, _) = find(&mut tx, caller, identity).await?;
    with_app(ops, &mut tx, addon).await
}

/// The apps' ways to one of its add-ons.
pub async fn attachments(ops: &Ops, caller: &Caller, identity: &str) -> Result<Vec<AttachmentInfo>> {
    let mut tx = ops.store().read().await?;
    let (addon, _) = find(&mut tx, caller, identity).await?;
    crate::attachments::of_addon(ops, &mut tx, &addon).await
}

/// An app that one of its add-ons is attached to, or is paid by.
pub async fn app(ops: &Ops, caller: &Caller, identity: &str) -> Result<AppInfo> {
    let mut tx = ops.store().read().await?;
    let gone = || Error::not_found("app");
    let app = crate::access::find(&mut tx, identity).await?;
    let mut own = Vec::new();
    for addon in store::addons::list(&mut tx).await? {
        if may_see(caller, &addon) {
            own.push(addon.app);
            own.extend(store::attachments::of_addon(&mut tx, addon.id).await?.iter().map(|one| one.app));
        }
    }
    // Others' apps are not told of.
    if !own.contains(&app.id) {
        return Err(gone());
    }
    let owner = store::accounts::by_id(&mut tx, app.owner).await?.ok_or_else(gone)?;
    Ok(AppInfo { app, owner })
}

/// An add-on's config vars, by the names in the manifest.
pub async fn config(ops: &Ops, caller: &Caller, identity: &str) -> Result<BTreeMap<String, String>> {
    let mut tx = ops.store().read().await?;
    let (addon, _) = find(&mut tx, caller, identity).await?;
    values(ops, &mut tx, &addon).await
}

/// Sets config vars of an add-on; those that are not named stay, those without a value go. Apps that have
/// them are released anew.
pub async fn set_config(
    ops: &Ops,
    caller: &Caller,
    identity: &str,
    vars: BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, String>> {
    let mut write = ops.store().write().await?;
    let (addon, _) = find(&mut write, caller, identity).await?;
    let definition = ops.catalog().service(&addon.service).cloned().ok_or_else(missing)?;
    let contract = definition.contract.clone().ok_or_else(missing)?;
    let mut all = values(ops, &mut write, &addon).await?;
    for (name, value) in vars {
        match value {
            Some(value) => drop(all.insert(name, value)),
            None => drop(all.remove(&name)),
        }
    }
    let wrong = |why: String| Error::invalid(format!("The config vars are not taken: {why}."));
    let next = declared(&contract, &definition, all).map_err(wrong)?;
    if let Some(mut own) = store::credentials::by_name(&mut write, addon.id, Credential::DEFAULT).await? {
        own.values.retain(|name, _| next.contains_key(name));
        store::credentials::update(&mut write, &own).await?;
    }
    let said = update_values(ops, &mut write, &addon, next).await?;
    let vars = values(ops, &mut write, &addon).await?;
    ops.commit_all(write, said).await?;
    Ok(vars)
}

/// The partner says that an add-on is there; it may do so before its answer to the order was read.
pub async fn there(ops: &Ops, caller: &Caller, identity: &str) -> Result<AddonInfo> {
    let mut write = ops.store().write().await?;
    let (addon, _) = find(&mut write, caller, identity).await?;
    let id = addon.id;
    let mut said = Vec::new();
    if addon.state == AddonState::Provisioning {
        said = provisioned_in(ops, &mut write, addon).await?;
    }
    let addon = store::addons::by_id(&mut write, id).await?.ok_or_else(missing)?;
    let info = with_app(ops, &mut write, addon).await?;
    ops.commit_all(write, said).await?;
    Ok(info)
}

/// The partner cannot make an add-on after all. It has nothing of it then.
pub async fn give_up(ops: &Ops, caller: &Caller, identity: &str) -> Result<AddonInfo> {
    let mut write = ops.store().write().await?;
    let (addon, mut resource) = find(&mut write, caller, identity).await?;
    if addon.state != AddonState::Provisioning {
        return Err(Error::invalid(format!(
            "{} is in use; only its users give it up from here on.",
            addon.name
        )));
    }
    let (app, id) = (addon.app, addon.id);
    resource.gone = true;
    store::resources::put(&mut write, &resource).await?;
    shut_out(&mut write, &addon).await?;
    let line = failed_in(ops, &mut write, addon, "its service could not make it").await?;
    let addon = store::addons::by_id(&mut write, id).await?.ok_or_else(missing)?;
    let info = with_app(ops, &mut write, addon).await?;
    ops.commit(write, app, vec![line]).await?;
    Ok(info)
}

fn may_see(caller: &Caller, addon: &Addon) -> bool {
    addon.state.is_there()
        && match &caller.scope {
            Scope::Addon(id) => *id == addon.id,
            Scope::Service(name) => *name == addon.service,
        }
}

/// Partners know add-ons by id, by name, and by the name that they have given them.
pub(super) async fn find(tx: &mut Tx, caller: &Caller, identity: &str) -> Result<(Addon, Resource)> {
    let mut found = match identity.parse() {
        Ok(id) => store::addons::by_id(tx, id).await?,
        Err(_) => store::addons::by_name(tx, identity).await?,
    };
    found = found.filter(|addon| may_see(caller, addon));
    if found.is_none() {
        for resource in store::resources::list(tx).await? {
            if resource.provider_id.as_deref() == Some(identity) {
                let addon = store::addons::by_id(tx, resource.addon).await?;
                found = found.or(addon.filter(|addon| may_see(caller, addon)));
            }
        }
    }
    let addon = found.ok_or_else(missing)?;
    let resource = store::resources::by_addon(tx, addon.id).await?.ok_or_else(missing)?;
    Ok((addon, resource))
}

async fn values(ops: &Ops, tx: &mut Tx, addon: &Addon) -> Result<BTreeMap<String, String>> {
    let catalog = ops.catalog();
    let contract = catalog.service(&addon.service).and_then(|service| service.contract.as_ref());
    let prefix = contract.map(|contract| contract.prefix.as_str()).unwrap_or_default();
    let own = store::credentials::by_name(tx, addon.id, Credential::DEFAULT).await?;
    let values = own.map(|own| own.values).unwrap_or_default();
    Ok(values.into_iter().map(|(suffix, value)| (format!("{prefix}_{suffix}"), value)).collect())
}
