//! Asking for an add-on.

use super::origin::{self, Seed, Wish};
use super::{AddonInfo, with_app};
use crate::attachments::{self, Wanted};
use crate::{Actor, Error, Ops, Result, access, partners, text};
use addons::{Catalog, Definition, Plan, Running};
use domain::{
    Account, Addon, AddonId, AddonState, App, Credential, CredentialId, Instance, InstanceId,
    addon::check_addon_name,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;
use store::{Table, Write};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Create {
    /// `heroku-postgresql:mini`, or a service for its default plan.
    pub plan: String,
    /// `None`: a random one.
    pub name: Option<String>,
    /// The first attachment's name; `None` for the service's usual one.
    pub attachment: Option<String>,
    /// The app's name, from who knows that an attachment of that name is replaced.
    pub confirm: Option<String>,
    /// What follows `--`, with `true` for one without a value: `fork`, `follow`, `rollback`, `to`, `by`; a
    /// partner's service is told them.
    pub options: BTreeMap<String, String>,
}

/// Adds an add-on. It is being provisioned when this returns; [`settled`] waits for it.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, input: Create) -> Result<AddonInfo> {
    let origin = origin::wish(ops, actor, app, &input).await?;
    let mut write = ops.store().write().await?;
    let mut app = access::write(&mut write, actor, app).await?;
    let (addon, lines) = insert(ops, &mut write, &actor.account, &mut app, input, origin).await?;
    let info = with_app(ops, &mut write, addon).await?;
    ops.commit(write, app.id, lines).await?;
    Ok(info)
}

/// Adds the rows, and returns what the app's log is to say.
pub(crate) async fn insert(
    ops: &Ops,
    write: &mut Write,
    user: &Account,
    app: &mut App,
    input: Create,
    origin: Option<Wish>,
) -> Result<(Addon, Vec<String>)> {
    let catalog = ops.catalog();
    let (service, plan) = plan_of(&catalog, &input.plan)?;
    let seed = match origin {
        Some(wish) => Some(origin::seed(ops, write, wish, service, plan).await?),
        None => None,
    };
    let existing = store::addons::of_app(write, app.id).await?;
    let one = existing.iter().find(|addon| addon.service == service.name && addon.state.is_there());
    if let Some(one) = one.filter(|_| !service.many_per_app) {
        return Err(Error::invalid(format!(
            "{} can be had once for each app, and {} has {} already.",
            service.title, app.name, one.name
        )));
    }
    let now = ops.now();
    let addon = Addon {
        id: AddonId::new(),
        app: app.id,
        user: user.id,
        service: service.name.clone(),
        plan: plan.name.clone(),
        name: free_name(write, service, input.name).await?,
        state: AddonState::Provisioning,
        instance: instance(ops, write, service, plan, seed.as_ref()).await?,
        attempts: 0,
        retry_at: None,
        failure: None,
        over_limit: false,
        created_at: now,
        updated_at: now,
    };
    store::addons::insert(write, &addon).await?;
    let credentials = match &seed {
        Some(seed) => {
            seed.insert(write, addon.id).await?;
            seed.credentials(service, addon.id, now)
        }
        None => vec![credential(service, addon.id, now)],
    };
    for credential in credentials {
        store::credentials::insert(write, &credential).await?;
    }
    if service.contract.is_some() {
        store::resources::put(write, &partners::new_resource(&addon, input.options)).await?;
    }
    let wanted = Wanted { name: input.attachment, confirm: input.confirm, namespace: None };
    let made = attachments::insert(ops, write, user, app, &addon, wanted).await?;
    let mut lines = vec![text::by(user, format!("Attach {} (@ref:{})", made.attachment.name, addon.name))];
    lines.extend(made.lines);
    Ok((addon, lines))
}

/// A new add-on's own.
fn credential(service: &Definition, addon: AddonId, now: Timestamp) -> Credential {
    Credential {
        id: CredentialId::new(),
        addon,
        name: Credential::DEFAULT.into(),
        values: service.make_values(),
        active: false,
        next: None,
        removed: false,
        attempts: 0,
        retry_at: None,
        created_at: now,
    }
}

/// Waits until an add-on is not being provisioned any more, or for so long. What is quick to make is
/// there when its user is told about it; for a partner that needs time nobody waits.
pub async fn settled(ops: &Ops, info: AddonInfo, patience: Duration) -> Result<AddonInfo> {
    let mut changes = ops.store().changes_of(Table::Addons);
    let id = info.addon.id;
    let wait = async {
        loop {
            changes.mark_unchanged();
            let mut tx = ops.store().read().await?;
            match store::addons::by_id(&mut tx, id).await? {
                Some(addon) if addon.state == AddonState::Provisioning => {
                    let resource = store::resources::by_addon(&mut tx, id).await?;
                    if resource.is_some_and(|resource| resource.accepted) {
                        return with_app(ops, &mut tx, addon).await;
                    }
                }
                Some(addon) => return with_app(ops, &mut tx, addon).await,
                None => return Err(super::missing()),
            }
            drop(tx);
            if changes.changed().await.is_err() {
                return Err(super::missing());
            }
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap_or(Ok(info))
}

/// The plan, or an error that says which there are.
pub(crate) fn plan_of<'c>(catalog: &'c Catalog, identity: &str) -> Result<(&'c Definition, &'c Plan)> {
    if let Some(found) = catalog.plan(identity) {
        return Ok(found);
    }
    let service = identity.split_once(':').map_or(identity, |(service, _)| service);
    let there = if let Some(service) = catalog.service(service) {
        let plans: Vec<_> = service.plans.iter().map(|plan| service.plan_name(plan)).collect();
        format!("Its plans are: {}.", plans.join(", "))
    } else {
        let names: Vec<_> = catalog.services().map(|service| service.name.as_str()).collect();
        format!("There are: {}.", names.join(", "))
    };
    Err(Error::invalid(format!(
        "Couldn't find either the add-on service or the add-on plan of {identity:?}. {there}"
    )))
}

pub(super) async fn free_name(
    write: &mut Write,
    service: &Definition,
    wanted: Option<String>,
) -> Result<String> {
    if let Some(name) = wanted {
        check_addon_name(&name)?;
        if store::addons::by_name(write, &name).await?.is_some() {
            return Err(Error::invalid(format!("Name {name} is already taken.")));
        }
        return Ok(name);
    }
    loop {
        let name = ::addons::addon_name(service.alias());
        if store::addons::by_name(write, &name).await?.is_none() {
            return Ok(name);
        }
    }
}

/// Where an add-on of this plan lives: the container that all share, or a new one.
async fn instance(
    ops: &Ops,
    write: &mut Write,
    service: &Definition,
    plan: &Plan,
    seed: Option<&Seed>,
) -> Result<Option<InstanceId>> {
    let Some(run) = &service.run else { return Ok(None) };
    if plan.shared
        && let Some(mut shared) = store::instances::shared(write, &service.name).await?
    {
        if shared.failures > 0 {
            // Who asks now is not refused for what went wrong before.
            (shared.failures, shared.retry_at) = (0, None);
            store::instances::update(write, &shared).await?;
        }
        return Ok(Some(shared.id));
    }
    let instance = Instance {
        id: InstanceId::new(),
        service: service.name.clone(),
        plan: (!plan.shared).then(|| plan.name.clone()),
        address: free_address(ops, write).await?,
        values: seed.and_then(Seed::instance_values).unwrap_or_else(|| run.make_values()),
        removed: false,
        failures: 0,
        retry_at: None,
        created_at: ops.now(),
    };
    store::instances::insert(write, &instance).await?;
    Ok(Some(instance.id))
}

/// An instance that is no add-on's, for a while.
pub(crate) async fn scratch(
    ops: &Ops,
    write: &mut Write,
    service: &str,
    plan: &str,
    run: &Running,
) -> Result<Instance> {
    let instance = Instance {
        id: InstanceId::new(),
        service: service.to_owned(),
        plan: Some(plan.to_owned()),
        address: free_address(ops, write).await?,
        values: run.make_values(),
        removed: false,
        failures: 0,
        retry_at: None,
        created_at: ops.now(),
    };
    store::instances::insert(write, &instance).await?;
    Ok(instance)
}

/// The address after the last one that was given out, so that one that was freed is used again as late
/// as possible.
async fn free_address(ops: &Ops, write: &mut Write) -> Result<Ipv4Addr> {
    let (first, count) = ops.settings().service_addresses;
    let instances = store::instances::list(write).await?;
    let taken: BTreeSet<u32> = instances.iter().map(|one| u32::from(one.address)).collect();
    let range = u32::from(first)..u32::from(first).saturating_add(count);
    let next = instances.last().map_or(range.start, |last| u32::from(last.address).saturating_add(1));
    let next = if range.contains(&next) { next } else { range.start };
    let free = (next..range.end).chain(range.start..next).find(|address| !taken.contains(address));
    free.map(Ipv4Addr::from).ok_or_else(|| {
        Error::Conflict(
            "This installation has no address left for another service. Whoever runs it has to set a larger network.subnet."
                .into(),
        )
    })
}
