//! What the data API tells about key-value stores, and does for them.

use crate::addons::{self, AddonInfo};
use crate::{Actor, Error, Ops, Permission, Result, access};
use ::addons::{Definition, Place, Setting};
use domain::{Addon, AddonState, Credential};
use std::collections::BTreeMap;
use store::Tx;

/// How names of such services begin: the official CLI knows them by it.
const SERVICE: &str = "heroku-redis";

/// One with all that is known of it.
#[derive(Clone, Debug)]
pub struct Database {
    pub info: AddonInfo,
    /// The plan's name as users read it, and its limit of connections.
    pub plan_title: String,
    pub connections: u64,
    /// The service's version.
    pub version: String,
    /// Where it is, and with which password. `None` until it is there.
    pub url: Option<String>,
    pub port: u16,
    /// By their names, as they are now.
    pub settings: BTreeMap<String, String>,
    /// What it said about itself last.
    pub samples: BTreeMap<String, String>,
    /// Why it does not answer, if it is known that it does not.
    pub waits: Option<String>,
}

/// The setting's rule, and what it is at an add-on now.
#[derive(Clone, Debug)]
pub struct Configured {
    pub setting: Setting,
    pub value: String,
}

/// All of the apps that one may see.
pub async fn list(ops: &Ops, actor: &Actor) -> Result<Vec<Database>> {
    actor.require(Permission::ReadProtected)?;
    let mut list = Vec::new();
    for one in addons::list(ops, actor).await? {
        if one.addon.service.starts_with(SERVICE) {
            list.push(info(ops, actor, &one.addon.id.to_string()).await?);
        }
    }
    Ok(list)
}

/// One by name or id.
pub async fn info(ops: &Ops, actor: &Actor, identity: &str) -> Result<Database> {
    let mut tx = ops.store().read().await?;
    let (addon, service) = find(ops, &mut tx, actor, identity).await?;
    let plan = service.plan(&addon.plan);
    let instance = match addon.instance {
        Some(id) => store::instances::by_id(&mut tx, id).await?,
        None => None,
    };
    let pending = store::errands::of_addon(&mut tx, addon.id).await?;
    let waits = match (&addon.state, &instance) {
        (AddonState::Provisioning, _) => Some("preparing".to_owned()),
        (_, Some(instance)) if instance.failures > 0 => Some("restarting".to_owned()),
        _ if !pending.is_empty() => Some("configuring".to_owned()),
        _ => None,
    };
    Ok(Database {
        plan_title: plan.map_or_else(|| addon.plan.clone(), |plan| plan.title.clone()),
        connections: plan.map_or(0, |plan| plan.connections),
        version: service.run.as_ref().and_then(|run| run.version.clone()).unwrap_or_default(),
        url: url(&mut tx, service, &addon).await?,
        port: service.run.as_ref().map_or(0, |run| run.port),
        settings: service.settings_with(&store::settings::of_addon(&mut tx, addon.id).await?),
        samples: store::settings::samples(&mut tx, addon.id).await?,
        waits,
        info: addons::with_app(ops, &mut tx, addon).await?,
    })
}

/// What can be set at one, and what it is.
pub async fn settings(ops: &Ops, actor: &Actor, identity: &str) -> Result<BTreeMap<String, Configured>> {
    let mut tx = ops.store().read().await?;
    let (addon, service) = find(ops, &mut tx, actor, identity).await?;
    let values = service.settings_with(&store::settings::of_addon(&mut tx, addon.id).await?);
    let configured = |(name, value): (String, String)| {
        let setting = service.settings.get(&name)?.clone();
        Some((name, Configured { setting, value }))
    };
    Ok(values.into_iter().filter_map(configured).collect())
}

/// An answer to who wants another version.
pub async fn upgrade(ops: &Ops, actor: &Actor, identity: &str, version: Option<&str>) -> Result<String> {
    let mut tx = ops.store().read().await?;
    let (addon, service) = find(ops, &mut tx, actor, identity).await?;
    access::app(&mut tx, actor, &addon.app.to_string(), Permission::Write, access::Role::Collaborator)
        .await?;
    let newest = service.run.as_ref().and_then(|run| run.version.as_deref()).unwrap_or_default();
    match version {
        None => {}
        Some(wanted) if wanted == newest || newest.starts_with(&format!("{wanted}.")) => {}
        Some(wanted) => {
            return Err(Error::invalid(format!(
                "There is no version {wanted}. {} runs {newest}, which is the newest here.",
                addon.name
            )));
        }
    }
    Ok(format!("{} runs {newest} already, which is the newest here.", addon.name))
}

/// One whose password one may read.
async fn find<'o>(
    ops: &'o Ops,
    tx: &mut Tx,
    actor: &Actor,
    identity: &str,
) -> Result<(Addon, &'o Definition)> {
    actor.require(Permission::ReadProtected)?;
    let addon = addons::find(tx, actor, identity, Permission::Read).await?;
    let service = ops.settings().catalog.service(&addon.service);
    let service = service.filter(|service| service.name.starts_with(SERVICE));
    Ok((addon, service.ok_or_else(addons::missing)?))
}

/// Its config var, as apps are given it.
async fn url(tx: &mut Tx, service: &Definition, addon: &Addon) -> Result<Option<String>> {
    let credential = store::credentials::by_name(tx, addon.id, Credential::DEFAULT).await?;
    let instance = match addon.instance {
        Some(id) => store::instances::by_id(tx, id).await?,
        None => None,
    };
    let (Some(run), Some(instance), Some(credential)) =
        (&service.run, instance, credential.filter(|one| one.active))
    else {
        return Ok(None);
    };
    let place = Place { host: instance.address, port: run.port };
    let vars = service.config_vars("REDIS", Some(place), &credential.values);
    Ok(vars.map_err(|error| Error::Internal(Box::new(error)))?.remove("REDIS_URL"))
}
