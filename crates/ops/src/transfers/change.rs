//! What users do with transfers that are there.

use super::find;
use crate::{Actor, Error, Ops, Permission, Result};
use domain::{Proof, Transfer, TransferState};

/// Stops one. What has ended already stays what it is.
pub async fn cancel(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<Transfer> {
    let mut write = ops.store().write().await?;
    let (_, mut transfer) = find(&mut write, actor, app, identity, Permission::Write).await?;
    if transfer.state.is_over() {
        return Ok(transfer);
    }
    transfer.cancelled = true;
    if transfer.state == TransferState::Pending {
        transfer.state = TransferState::Cancelled;
        transfer.finished_at = Some(ops.now());
    }
    store::transfers::update(&mut write, &transfer).await?;
    write.commit().await?;
    Ok(transfer)
}

/// Forgets one, and its dump.
pub async fn delete(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<Transfer> {
    let mut write = ops.store().write().await?;
    let (_, mut transfer) = find(&mut write, actor, app, identity, Permission::Write).await?;
    if !transfer.state.is_over() {
        return Err(Error::Conflict(format!(
            "{} is not over. Cancel it first: heroku pg:backups:cancel {}",
            transfer.name(),
            transfer.name()
        )));
    }
    // Nobody would know any more where it was being tried.
    super::proof::give_up(&mut write, &mut transfer).await?;
    store::transfers::delete(&mut write, transfer.id).await?;
    write.commit().await?;
    Ok(transfer)
}

/// Has a backup tried: it is restored into a service of its own and compared.
pub async fn prove(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<Transfer> {
    let mut write = ops.store().write().await?;
    let (_, mut transfer) = find(&mut write, actor, app, identity, Permission::Write).await?;
    is_kept(&transfer)?;
    if transfer.proof != Proof::Wanted {
        transfer.proof = Proof::Wanted;
        transfer.proof_attempts = 0;
        store::transfers::update(&mut write, &transfer).await?;
        write.commit().await?;
    }
    Ok(transfer)
}

/// A backup that one may have the whole of: it holds what config vars protect, and more.
pub async fn authorize_download(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<Transfer> {
    let mut tx = ops.store().read().await?;
    let (_, transfer) = find(&mut tx, actor, app, identity, Permission::ReadProtected).await?;
    is_kept(&transfer)?;
    Ok(transfer)
}

fn is_kept(transfer: &Transfer) -> Result<()> {
    if transfer.is_backup() {
        return Ok(());
    }
    Err(Error::invalid(format!("{} is not a backup that was completed.", transfer.name())))
}
