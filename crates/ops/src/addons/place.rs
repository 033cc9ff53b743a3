//! Where an add-on is found.

use super::{find, missing};
use crate::{Actor, Error, Ops, Permission, Result};
use domain::AddonState;
use std::net::SocketAddrV4;

/// The address of an add-on that one may read the config vars of, for who opens a way to it.
pub async fn place(ops: &Ops, actor: &Actor, identity: &str) -> Result<SocketAddrV4> {
    actor.require(Permission::ReadProtected)?;
    let mut tx = ops.store().read().await?;
    let addon = find(&mut tx, actor, identity, Permission::Read).await?;
    if addon.state != AddonState::Provisioned {
        return Err(Error::Conflict(format!("{} is not there yet.", addon.name)));
    }
    let service = ops.settings().catalog.service(&addon.service);
    let port = service.and_then(|service| service.run.as_ref()).map(|run| run.port);
    let instance = match addon.instance {
        Some(id) => store::instances::by_id(&mut tx, id).await?,
        None => None,
    };
    match (instance, port) {
        (Some(instance), Some(port)) => Ok(SocketAddrV4::new(instance.address, port)),
        (None, None) => Err(Error::invalid(format!("{} has no address of its own.", addon.name))),
        _ => Err(missing()),
    }
}
