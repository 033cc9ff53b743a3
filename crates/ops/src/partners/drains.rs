//! The log of the app that a partner is sent, if its manifest asks for that: where to.

use super::caller::{Caller, find};
use super::progress::add_drain;
use crate::drains::{DrainInfo, check_url, described, is};
use crate::{Error, Ops, Result};

/// The drains of one of the caller's add-ons.
pub async fn drains(ops: &Ops, caller: &Caller, addon: &str) -> Result<Vec<DrainInfo>> {
    let mut tx = ops.store().read().await?;
    let (addon, _) = find(&mut tx, caller, addon).await?;
    described(&mut tx, &addon).await
}

/// Has the log sent to another address. By the token that came with the order, also to a first one: a partner
/// that makes its add-ons later has no other moment for that.
pub async fn set_drain(
    ops: &Ops,
    caller: &Caller,
    addon: &str,
    identity: &str,
    url: String,
) -> Result<DrainInfo> {
    check_url(&url)?;
    let mut write = ops.store().write().await?;
    let (addon, mut resource) = find(&mut write, caller, addon).await?;
    let gone = || Error::not_found("log drain");
    let known = described(&mut write, &addon).await?.into_iter().find(|info| is(&info.drain, identity));
    if let Some(mut info) = known {
        (info.drain.url, info.drain.updated_at) = (url, ops.now());
        store::drains::update(&mut write, &info.drain).await?;
        write.commit().await?;
        return Ok(info);
    }
    let catalog = ops.catalog();
    let contract = catalog.service(&addon.service).and_then(|service| service.contract.as_ref());
    if resource.drain_token != identity || !contract.is_some_and(|contract| contract.reads_logs) {
        return Err(gone());
    }
    add_drain(ops, &mut write, &addon, &mut resource, url).await?.map_err(Error::invalid)?;
    store::resources::put(&mut write, &resource).await?;
    let info = described(&mut write, &addon).await?.pop().ok_or_else(gone)?;
    write.commit().await?;
    Ok(info)
}
