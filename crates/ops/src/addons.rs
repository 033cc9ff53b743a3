//! Add-ons: services that apps use. An add-on is asked for here and made by a loop, which says with
//! [`provisioned`], [`failed`] and [`gone`] how far it is. Its config vars come to apps by way of
//! [`attachments`](crate::attachments).

pub mod archives;
mod create;
mod destroy;
mod errands;
mod origin;
mod page;
mod place;
mod progress;
pub mod sso;
mod update;

pub(crate) use create::scratch;
pub use create::{Create, create, settled};
pub(crate) use create::{insert, plan_of};
pub use destroy::destroy;
pub(crate) use destroy::of_destroyed_app;
pub use errands::{configure, errand_done, errand_failed, errand_settled, reset_stats, sampled, unfollow};
pub(crate) use origin::{followers, writable};
pub use page::{Opened, Page, open, reopen};
pub use place::place;
pub use progress::{failed, gone, instance_failed, instance_gone, instance_up, later, provisioned};
pub(crate) use progress::{failed_in, in_whose_name, provisioned_in};
pub use update::{Update, update};

use crate::access::{self, Role};
use crate::{Actor, AppRef, Error, Ops, Permission, Result};
use ::addons::Provided;
use domain::{Addon, AddonState, App, AppName, Attachment, Resource};
use std::collections::BTreeSet;
use store::Tx;

/// An add-on with what the API tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddonInfo {
    pub addon: Addon,
    /// The app that pays for it.
    pub app: AppRef,
    /// Names of its config vars in that app.
    pub config_vars: Vec<String>,
    /// What it is at its partner, if one runs its service.
    pub resource: Option<Resource>,
}

/// All add-ons of the apps that one may see.
pub async fn list(ops: &Ops, actor: &Actor) -> Result<Vec<AddonInfo>> {
    let apps = crate::apps::list(ops, actor).await?;
    of_apps(ops, apps).await
}

/// The add-ons of an account's apps.
pub async fn list_of_user(ops: &Ops, actor: &Actor, account: &str) -> Result<Vec<AddonInfo>> {
    let apps = crate::apps::list_of(ops, actor, account).await?;
    of_apps(ops, apps).await
}

async fn of_apps(ops: &Ops, apps: Vec<crate::apps::AppInfo>) -> Result<Vec<AddonInfo>> {
    let mut tx = ops.store().read().await?;
    let mut list = Vec::new();
    for app in apps {
        for addon in there(store::addons::of_app(&mut tx, app.app.id).await?) {
            list.push(describe(ops, &mut tx, addon, (&app.app).into()).await?);
        }
    }
    Ok(list)
}

/// The add-ons that an app pays for and those that it is attached to.
pub async fn list_of_app(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<AddonInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let mut list = Vec::new();
    for addon in of_app(&mut tx, &app).await? {
        list.push(with_app(ops, &mut tx, addon).await?);
    }
    Ok(list)
}

/// One by name or id.
pub async fn info(ops: &Ops, actor: &Actor, identity: &str) -> Result<AddonInfo> {
    let mut tx = ops.store().read().await?;
    let addon = find(&mut tx, actor, identity, Permission::Read).await?;
    with_app(ops, &mut tx, addon).await
}

/// One that an app pays for or is attached to, by name, id or the attachment's name. One that could not
/// be made is told about for a while, so that who waits for it learns.
pub async fn info_of_app(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<AddonInfo> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let addon = find_in_app(&mut tx, &app, identity).await?;
    with_app(ops, &mut tx, addon).await
}

/// What `identity` may mean: an add-on's name or id, an attachment's name or one of its config vars, a
/// service or a plan; in `app`, or for `None` anywhere. `service` narrows it down.
pub async fn resolve(
    ops: &Ops,
    actor: &Actor,
    identity: &str,
    app: Option<&str>,
    service: Option<&str>,
) -> Result<Vec<AddonInfo>> {
    let (app, identity) = identity.split_once("::").map_or((app, identity), |(app, name)| (Some(app), name));
    let mut tx = ops.store().read().await?;
    let mut found = Vec::new();
    if let Some(app) = app {
        let app = access::read(&mut tx, actor, app).await?;
        let attachments = store::attachments::of_app(&mut tx, app.id).await?;
        for addon in of_app(&mut tx, &app).await? {
            let attached = attachments.iter().filter(|one| one.addon == addon.id);
            if is_called(ops, &addon, attached, identity) {
                found.push(addon);
            }
        }
    }
    if found.is_empty() {
        match find(&mut tx, actor, identity, Permission::Read).await {
            Ok(addon) => found.push(addon),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    found.retain(|addon| service.is_none_or(|service| addon.service == service));
    if found.is_empty() {
        return Err(missing());
    }
    let mut list = Vec::new();
    for addon in found {
        list.push(with_app(ops, &mut tx, addon).await?);
    }
    Ok(list)
}

fn is_called<'a>(
    ops: &Ops,
    addon: &Addon,
    mut attachments: impl Iterator<Item = &'a Attachment>,
    identity: &str,
) -> bool {
    let plan = || format!("{}:{}", addon.service, addon.plan) == identity;
    let catalog = ops.catalog();
    let service = catalog.service(&addon.service);
    addon.name == identity
        || addon.id.to_string() == identity
        || addon.service == identity
        || plan()
        || attachments.any(|one| {
            let vars = service.map(|service| service.config_names(&one.name)).unwrap_or_default();
            one.name.eq_ignore_ascii_case(identity) || vars.iter().any(|var| var == identity)
        })
}

/// Those that an app pays for or is attached to.
async fn of_app(tx: &mut Tx, app: &App) -> Result<Vec<Addon>> {
    let mut addons = there(store::addons::of_app(tx, app.id).await?);
    let known: BTreeSet<_> = addons.iter().map(|addon| addon.id).collect();
    let others: BTreeSet<_> =
        store::attachments::of_app(tx, app.id).await?.into_iter().map(|one| one.addon).collect();
    for id in others.difference(&known) {
        addons.extend(store::addons::by_id(tx, *id).await?.filter(|addon| addon.state.is_there()));
    }
    Ok(addons)
}

fn there(addons: Vec<Addon>) -> Vec<Addon> {
    addons.into_iter().filter(|addon| addon.state.is_there()).collect()
}

/// An add-on of an app that one may read, or with `permission` for writing, may change.
pub(crate) async fn find(
    tx: &mut Tx,
    actor: &Actor,
    identity: &str,
    permission: Permission,
) -> Result<Addon> {
    let found = match identity.parse() {
        Ok(id) => store::addons::by_id(tx, id).await?,
        Err(_) => store::addons::by_name(tx, identity).await?,
    };
    let addon = found.filter(|addon| addon.state.is_there()).ok_or_else(missing)?;
    let mut apps = vec![addon.app];
    if permission == Permission::Read {
        apps.extend(store::attachments::of_addon(tx, addon.id).await?.iter().map(|one| one.app));
    }
    for app in apps {
        match access::app(tx, actor, &app.to_string(), permission, Role::Collaborator).await {
            Ok(_) => return Ok(addon),
            Err(Error::Forbidden(_)) => {}
            Err(error) => return Err(error),
        }
    }
    // Who may not see it is not told that there is one.
    actor.require(permission)?;
    Err(missing())
}

/// An add-on that `app` pays for or is attached to.
pub(crate) async fn find_in_app(tx: &mut Tx, app: &App, identity: &str) -> Result<Addon> {
    let attachments = store::attachments::of_app(tx, app.id).await?;
    let attached = attachments.iter().find(|one| one.name.eq_ignore_ascii_case(identity));
    let found = match (attached, identity.parse()) {
        (Some(attached), _) => store::addons::by_id(tx, attached.addon).await?,
        (None, Ok(id)) => store::addons::by_id(tx, id).await?,
        (None, Err(_)) => store::addons::by_name(tx, identity).await?,
    };
    let is_seen = |addon: &Addon| {
        addon.state != AddonState::Deprovisioning
            && (addon.app == app.id || attachments.iter().any(|one| one.addon == addon.id))
    };
    found.filter(is_seen).ok_or_else(missing)
}

/// The add-on of an app's that the platform provides, of which there is one at most.
async fn provided(ops: &Ops, tx: &mut Tx, app: &App, what: Provided) -> Result<Option<Addon>> {
    let addons = there(store::addons::of_app(tx, app.id).await?);
    Ok(addons.into_iter().find(|addon| provider(ops, addon) == Some(what)))
}

/// An app that one may do this to, and its add-on that the platform provides, once it is there. `missing` is what
/// who has none is told, by the app's name.
pub(crate) async fn find_provided(
    ops: &Ops,
    tx: &mut Tx,
    actor: &Actor,
    app: &str,
    permission: Permission,
    what: Provided,
    missing: impl FnOnce(&AppName) -> String,
) -> Result<(App, Addon)> {
    let app = access::app(tx, actor, app, permission, Role::Collaborator).await?;
    let found = provided(ops, tx, &app, what).await?;
    match found.filter(|addon| addon.state == AddonState::Provisioned) {
        Some(addon) => Ok((app, addon)),
        None => Err(Error::NotFound { resource: "add_on", message: missing(&app.name) }),
    }
}

/// The part of the platform that provides an add-on.
pub(crate) fn provider(ops: &Ops, addon: &Addon) -> Option<Provided> {
    ops.settings().catalog.service(&addon.service)?.provided
}

pub(crate) fn missing() -> Error {
    Error::NotFound { resource: "add_on", message: "Couldn't find that add-on.".into() }
}

pub(crate) async fn with_app(ops: &Ops, tx: &mut Tx, addon: Addon) -> Result<AddonInfo> {
    let app = store::apps::by_id(tx, addon.app).await?.ok_or_else(missing)?;
    describe(ops, tx, addon, (&app).into()).await
}

async fn describe(ops: &Ops, tx: &mut Tx, addon: Addon, app: AppRef) -> Result<AddonInfo> {
    let mut config_vars = Vec::new();
    if let Some(service) = ops.catalog().service(&addon.service) {
        let attachments = store::attachments::of_addon(tx, addon.id).await?;
        for one in attachments.iter().filter(|one| one.app == addon.app) {
            config_vars.extend(service.config_names(&one.name));
        }
    }
    let resource = store::resources::by_addon(tx, addon.id).await?;
    Ok(AddonInfo { addon, app, config_vars, resource })
}
