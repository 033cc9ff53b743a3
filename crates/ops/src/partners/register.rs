//! Registering a partner's service. Administrators only.

use super::offers;
use crate::{Actor, Error, Ops, Permission, Result, random};
use ::addons::{Definition, Manifest, Offer};
use domain::{Partner, PartnerId};
use store::Write;

/// What is registered.
#[derive(Clone, Debug, Default)]
pub struct Register {
    /// The text of `addon-manifest.json`.
    pub manifest: String,
    /// The service's plans; none: those of the manifest.
    pub plans: Vec<Offer>,
    /// The manifest's addresses for tests are used.
    pub test: bool,
}

/// A service that was registered, and the secret that its partner is to have.
#[derive(Clone, Debug)]
pub struct Registered {
    pub definition: Definition,
    pub client_secret: String,
    /// It was not there before.
    pub is_new: bool,
}

/// Registers a service, or what has changed about one.
pub async fn register(ops: &Ops, actor: &Actor, input: Register) -> Result<Registered> {
    actor.require(Permission::Global)?;
    actor.require_admin()?;
    let (manifest, secrets) =
        Manifest::parse(&input.manifest).map_err(|error| Error::invalid(error.to_string()))?;
    let manifest = settled(manifest, input.plans, input.test)?;
    let definition = manifest.definition();
    if ops.settings().catalog.service(&definition.name).is_some() {
        return Err(Error::invalid(format!(
            "There is a service {} already, which this installation runs itself. Use another id.",
            definition.name
        )));
    }
    let kept = manifest.to_keep().map_err(|error| Error::Internal(Box::new(error)))?;
    let mut write = ops.store().write().await?;
    let known = store::partners::by_name(&mut write, &definition.name).await?;
    check_used(&mut write, &definition).await?;
    let now = ops.now();
    let partner = Partner {
        id: known.as_ref().map_or_else(PartnerId::new, |known| known.id),
        name: definition.name.clone(),
        manifest: kept,
        password: secrets.password,
        sso_salt: secrets.sso_salt,
        client_secret: known.as_ref().map_or_else(random::key, |known| known.client_secret.clone()),
        created_at: known.as_ref().map_or(now, |known| known.created_at),
        updated_at: now,
    };
    store::partners::put(&mut write, &partner).await?;
    offers::commit(ops, write).await?;
    Ok(Registered { definition, client_secret: partner.client_secret, is_new: known.is_none() })
}

/// The manifest with the plans and the addresses that are to be used.
fn settled(mut manifest: Manifest, plans: Vec<Offer>, test: bool) -> Result<Manifest> {
    if test {
        let missing = || Error::invalid("The manifest has no addresses for tests (api.test).");
        manifest.api.production = manifest.api.test.clone().ok_or_else(missing)?;
    }
    if !plans.is_empty() {
        manifest.plans = plans;
    }
    let kept = manifest.to_keep().map_err(|error| Error::Internal(Box::new(error)))?;
    // Plans that came beside the file are looked at like those in it.
    Manifest::kept(&kept).map_err(|error| Error::invalid(format!("The plans are not right: {error}.")))?;
    let mut names: Vec<_> = manifest.plans.iter().map(|plan| &plan.name).collect();
    names.sort_unstable();
    if let Some([twice, _]) = names.array_windows::<2>().find(|[one, next]| one == next) {
        return Err(Error::invalid(format!("The plan {twice:?} is there twice.")));
    }
    Ok(manifest)
}

/// Add-ons keep their plans, and their config vars.
async fn check_used(write: &mut Write, definition: &Definition) -> Result<()> {
    let addons = store::addons::list(write).await?;
    for addon in addons.iter().filter(|addon| addon.service == definition.name && addon.state.is_there()) {
        if definition.plan(&addon.plan).is_none() {
            return Err(Error::invalid(format!(
                "The plan {} is in use by {}; it must stay.",
                addon.plan, addon.name
            )));
        }
    }
    Ok(())
}

/// The services that partners run.
pub async fn list(ops: &Ops, actor: &Actor) -> Result<Vec<Definition>> {
    actor.require(Permission::Read)?;
    actor.require_admin()?;
    Ok(ops.catalog().services().filter(|service| service.contract.is_some()).cloned().collect())
}

/// Takes a service out of the marketplace. One that has add-ons stays, unless with `force` those are
/// forgotten that were given up and that the partner does not take back.
pub async fn unregister(ops: &Ops, actor: &Actor, name: &str, force: bool) -> Result<Definition> {
    actor.require(Permission::Global)?;
    actor.require_admin()?;
    let missing = || Error::NotFound {
        resource: "addon_service",
        message: format!("There is no service {name} that a partner runs."),
    };
    let definition = ops.catalog().service(name).cloned().filter(|one| one.contract.is_some());
    let definition = definition.ok_or_else(missing)?;
    let mut write = ops.store().write().await?;
    let partner = store::partners::by_name(&mut write, &definition.name).await?.ok_or_else(missing)?;
    for addon in store::addons::list(&mut write).await? {
        if addon.service != definition.name {
            continue;
        }
        if addon.state.is_there() {
            return Err(Error::invalid(format!("{} is one of its add-ons. Destroy it first.", addon.name)));
        }
        let resource = store::resources::by_addon(&mut write, addon.id).await?;
        if !force && resource.is_some_and(|resource| !resource.gone) {
            return Err(Error::Conflict(format!(
                "The partner has not taken {} back yet. Try again later, or forget it with --force: whatever it is at the partner then stays there.",
                addon.name
            )));
        }
        store::addons::delete(&mut write, addon.id).await?;
    }
    store::partners::delete(&mut write, &partner).await?;
    offers::commit(ops, write).await?;
    Ok(definition)
}
