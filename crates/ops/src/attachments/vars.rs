//! The config vars that an app's attachments give.

use crate::releases::{self, Trigger};
use crate::{Actor, Error, Ops, Permission, Result, addons};
use ::addons::{Place, Running};
use domain::{Account, Addon, AddonState, App, AppId, Attachment, AttachmentId, ConfigVars};
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use store::{Tx, Write};

/// Brings an app's attached config vars up to date. If that changes them, a release is made for each of
/// `descriptions`, all with the new ones. Returns what the app's log is to say.
pub(crate) async fn refresh(
    ops: &Ops,
    write: &mut Write,
    app: &mut App,
    user: &Account,
    descriptions: Vec<String>,
) -> Result<Vec<String>> {
    let vars = current(ops, write, app.id).await?;
    if vars == store::configs::attached_of_app(write, app.id).await? {
        return Ok(Vec::new());
    }
    store::configs::attach(write, app.id, &vars).await?;
    let config = store::configs::id_of_app(write, app.id).await?;
    let mut lines = Vec::new();
    for description in descriptions {
        let slug = releases::base_slug(write, app.id).await?;
        let new = releases::New { user, description, slug, config, trigger: Trigger::Config };
        lines.extend(releases::insert(ops, write, app, new).await?.lines);
    }
    Ok(lines)
}

/// What the attachments of an app give now.
async fn current(ops: &Ops, write: &mut Write, app: AppId) -> Result<ConfigVars> {
    let mut vars = ConfigVars::default();
    for attachment in store::attachments::of_app(write, app).await? {
        let Some(addon) = store::addons::by_id(write, attachment.addon).await? else { continue };
        if addon.state != AddonState::Provisioned {
            continue;
        }
        vars.0.extend(given(ops, write, &addon, &attachment).await?);
    }
    Ok(vars)
}

/// What an attachment gives; nothing while its credential is being made.
async fn given(
    ops: &Ops,
    tx: &mut Tx,
    addon: &Addon,
    attachment: &Attachment,
) -> Result<BTreeMap<String, String>> {
    let catalog = ops.catalog();
    let Some(service) = catalog.service(&addon.service) else { return Ok(BTreeMap::new()) };
    let credential = store::credentials::by_name(tx, addon.id, attachment.credential()).await?;
    let Some(credential) = credential.filter(|credential| credential.active) else {
        return Ok(BTreeMap::new());
    };
    let instance = match addon.instance {
        Some(id) => store::instances::by_id(tx, id).await?,
        None => None,
    };
    let place = match (&service.run, instance) {
        (Some(run), Some(instance)) => Some(Place { host: instance.address, port: port(run, attachment) }),
        _ => None,
    };
    let given = service.config_vars(&attachment.name, place, &credential.values);
    given.map_err(|error| Error::Internal(Box::new(error)))
}

/// The port that an attachment leads to.
fn port(run: &Running, attachment: &Attachment) -> u16 {
    run.pooling_port.filter(|_| attachment.is_pooled()).unwrap_or(run.port)
}

/// What an add-on gives in a namespace, without an attachment's name; nothing if there is no such
/// namespace.
pub async fn of_namespace(
    ops: &Ops,
    actor: &Actor,
    addon: &str,
    namespace: &str,
) -> Result<BTreeMap<String, String>> {
    let mut tx = ops.store().read().await?;
    let addon = addons::find(&mut tx, actor, addon, Permission::ReadProtected).await?;
    if namespace != Attachment::POOLING && !namespace.starts_with("credential:") {
        return Ok(BTreeMap::new());
    }
    let attachment = imagined(ops, &addon, "", Some(namespace));
    let vars = given(ops, &mut tx, &addon, &attachment).await?;
    // Before the `_` there is no name.
    Ok(vars.into_iter().map(|(name, value)| (name.trim_start_matches('_').to_owned(), value)).collect())
}

/// What an add-on gives under its service's usual names.
pub async fn of_addon_itself(ops: &Ops, actor: &Actor, addon: &str) -> Result<BTreeMap<String, String>> {
    let mut tx = ops.store().read().await?;
    let addon = addons::find(&mut tx, actor, addon, Permission::ReadProtected).await?;
    let first = ops.catalog().service(&addon.service).map(|service| service.attachment.first.clone());
    let attachment = imagined(ops, &addon, &first.unwrap_or_default(), None);
    given(ops, &mut tx, &addon, &attachment).await
}

/// An attachment that nobody has made, to see what it would give.
fn imagined(ops: &Ops, addon: &Addon, name: &str, namespace: Option<&str>) -> Attachment {
    let now = ops.now();
    Attachment {
        id: AttachmentId::new(),
        addon: addon.id,
        app: addon.app,
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        created_at: now,
        updated_at: now,
    }
}

/// Where the add-ons are that an app is attached to: what its dynos are to be let through to.
pub async fn reach(ops: &Ops, tx: &mut Tx, app: AppId) -> Result<Vec<SocketAddrV4>> {
    let mut reach = Vec::new();
    for attachment in store::attachments::of_app(tx, app).await? {
        let Some(addon) = store::addons::by_id(tx, attachment.addon).await? else { continue };
        let Some(instance) = addon.instance else { continue };
        let Some(instance) = store::instances::by_id(tx, instance).await? else { continue };
        let service = ops.settings().catalog.service(&addon.service);
        let port = service.and_then(|service| service.run.as_ref()).map(|run| port(run, &attachment));
        reach.extend(port.map(|port| SocketAddrV4::new(instance.address, port)));
    }
    reach.sort_unstable();
    reach.dedup();
    Ok(reach)
}
