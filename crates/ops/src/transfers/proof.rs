//! The proof of a backup: it is restored into an instance of its own, which is then given up. None of these
//! takes an actor.

use super::progress::line;
use super::{commit, news};
use crate::{Error, Ops, Result};
use domain::{Instance, Proof, Transfer, TransferId};
use store::Write;

/// Trials that came to nothing for reasons of this machine's, after which nobody tries any more.
const ATTEMPTS: u32 = 5;

/// What a trial came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds what it is to hold, in the service's words.
    Proven(String),
    /// It does not, for this reason.
    Refuted(String),
}

/// A trial begins: the instance that it takes place in, which is being started.
pub async fn proof_begun(ops: &Ops, id: TransferId) -> Result<Option<(Transfer, Instance)>> {
    let mut write = ops.store().write().await?;
    let found = store::transfers::by_id(&mut write, id).await?;
    let Some(mut transfer) = found.filter(|one| one.proof == Proof::Wanted) else { return Ok(None) };
    let catalog = &ops.settings().catalog;
    let service = catalog.service(&transfer.service).and_then(|one| one.run.as_ref());
    let run = service
        .ok_or_else(|| Error::invalid(format!("{} is not in the catalog any more", transfer.service)))?;
    give_up(&mut write, &mut transfer).await?;
    let instance = crate::addons::scratch(ops, &mut write, &transfer.service, &transfer.plan, run).await?;
    transfer.proof_instance = Some(instance.id);
    transfer.proof_attempts = transfer.proof_attempts.saturating_add(1);
    store::transfers::update(&mut write, &transfer).await?;
    write.commit().await?;
    Ok(Some((transfer, instance)))
}

/// A trial has come to something.
pub async fn proof_ended(ops: &Ops, id: TransferId, verdict: Verdict) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut transfer) = store::transfers::by_id(&mut write, id).await? else { return Ok(()) };
    give_up(&mut write, &mut transfer).await?;
    transfer.proven_at = Some(ops.now());
    let said = match verdict {
        Verdict::Proven(text) => {
            transfer.proof = Proof::Proven;
            for text in text.lines() {
                line(ops, &mut write, id, text).await?;
            }
            transfer.proof_text = Some(text);
            format!(
                "Backup {} of {} was restored and holds what it is to hold",
                transfer.name(),
                transfer.from_name
            )
        }
        Verdict::Refuted(why) => {
            transfer.proof = Proof::Refuted;
            transfer.proof_text = Some(why.clone());
            news::refuted(ops, &mut write, &transfer, &why).await?;
            format!("Backup {} of {} CANNOT BE RESTORED: {why}", transfer.name(), transfer.from_name)
        }
    };
    line(ops, &mut write, id, &said).await?;
    store::transfers::update(&mut write, &transfer).await?;
    commit(ops, write, vec![(transfer.app, said)]).await
}

/// A trial could not be made, for a reason that says nothing about the backup.
pub async fn proof_put_off(ops: &Ops, id: TransferId, why: &str) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut transfer) = store::transfers::by_id(&mut write, id).await? else { return Ok(()) };
    give_up(&mut write, &mut transfer).await?;
    let said = format!("Backup {} of {} could not be tried: {why}", transfer.name(), transfer.from_name);
    line(ops, &mut write, id, &said).await?;
    if transfer.proof_attempts >= ATTEMPTS {
        transfer.proof = Proof::None;
        transfer.proof_text = Some(format!("could not be tried: {why}"));
        store::transfers::update(&mut write, &transfer).await?;
        return commit(ops, write, vec![(transfer.app, said)]).await;
    }
    store::transfers::update(&mut write, &transfer).await?;
    Ok(write.commit().await?)
}

/// The instance of a trial is taken away by who runs instances. Returns whether there was one.
pub(super) async fn give_up(write: &mut Write, transfer: &mut Transfer) -> Result<bool> {
    let Some(id) = transfer.proof_instance.take() else { return Ok(false) };
    if let Some(mut instance) = store::instances::by_id(write, id).await? {
        instance.removed = true;
        store::instances::update(write, &instance).await?;
    }
    Ok(true)
}
