//! Databases that share a server are measured by a loop, which says here which of them hold more than
//! their plans allow. None of this takes an actor.

use super::{SERVICE, access_of};
use crate::{Ops, Result};
use domain::{Addon, AddonId, AddonState, DatabaseAccess};

/// A database to be measured.
#[derive(Clone, Debug)]
pub struct Measured {
    pub addon: Addon,
    pub access: DatabaseAccess,
    /// Bytes.
    pub limit: u64,
}

/// All that are there and share a server.
pub async fn measured(ops: &Ops) -> Result<Vec<Measured>> {
    let mut list = Vec::new();
    let Some(service) = ops.settings().catalog.service(SERVICE) else { return Ok(list) };
    let mut tx = ops.store().read().await?;
    for addon in store::addons::list(&mut tx).await? {
        let plan = service.plan(&addon.plan).filter(|plan| plan.shared && addon.service == SERVICE);
        let Some(plan) = plan.filter(|_| addon.state == AddonState::Provisioned) else { continue };
        if let Some(access) = access_of(&mut tx, service, &addon).await? {
            list.push(Measured { addon, access, limit: plan.disk.saturating_mul(1 << 20) });
        }
    }
    Ok(list)
}

/// A database may not grow, or may again. Its app's log says so once.
pub async fn limited(ops: &Ops, id: AddonId, over: bool) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut addon) = store::addons::by_id(&mut write, id).await? else { return Ok(()) };
    if addon.over_limit == over {
        return Ok(());
    }
    addon.over_limit = over;
    store::addons::update(&mut write, &addon).await?;
    let name = &addon.name;
    let line = if over {
        format!(
            "{name} holds more than its plan allows: INSERT and UPDATE are revoked. Delete data or move to a larger plan with `heroku addons:upgrade {name}`; they are given back within a minute."
        )
    } else {
        format!("{name} holds no more than its plan allows again: INSERT and UPDATE are given back.")
    };
    ops.commit(write, addon.app, vec![line]).await
}
