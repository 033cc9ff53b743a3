//! What the loop that carries transfers says about them. None of these takes an actor.

use super::{commit, news};
use crate::{Ops, Result};
use domain::{Digest, Proof, Transfer, TransferId, TransferKind, TransferLine, TransferState};
use store::Write;

/// A transfer that servers were killed in so often is not begun again.
const ATTEMPTS: u32 = 3;

/// What came of a transfer that was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub source_bytes: u64,
    pub processed_bytes: u64,
    pub warnings: u32,
    /// Of the dump.
    pub digest: Option<Digest>,
    /// What the service said of the data.
    pub figures: Option<String>,
}

/// How one ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Done(Done),
    /// The reason is for users.
    Failed(String),
    Cancelled,
}

/// One is being done now. `None` if nobody wants it any more.
pub async fn begun(ops: &Ops, id: TransferId) -> Result<Option<Transfer>> {
    let mut write = ops.store().write().await?;
    let found = store::transfers::by_id(&mut write, id).await?;
    let Some(mut transfer) = found.filter(|one| one.state == TransferState::Pending) else { return Ok(None) };
    transfer.state = TransferState::Running;
    transfer.attempts = transfer.attempts.saturating_add(1);
    transfer.started_at.get_or_insert(ops.now());
    store::transfers::update(&mut write, &transfer).await?;
    write.commit().await?;
    Ok(Some(transfer))
}

/// How far one is, and what it told meanwhile.
pub async fn progress(ops: &Ops, id: TransferId, processed: u64, lines: &[TransferLine]) -> Result<()> {
    let mut write = ops.store().write().await?;
    store::transfers::set_progress(&mut write, id, processed).await?;
    if store::transfers::by_id(&mut write, id).await?.is_some() {
        store::transfers::add_lines(&mut write, id, lines).await?;
    }
    Ok(write.commit().await?)
}

/// Something that one has to tell.
pub async fn told(ops: &Ops, id: TransferId, text: &str) -> Result<()> {
    let mut write = ops.store().write().await?;
    line(ops, &mut write, id, text).await?;
    Ok(write.commit().await?)
}

/// One is over. A backup is tried next.
pub async fn finished(ops: &Ops, id: TransferId, ended: Ended) -> Result<()> {
    let mut write = ops.store().write().await?;
    let found = store::transfers::by_id(&mut write, id).await?;
    let Some(mut transfer) = found.filter(|one| !one.state.is_over()) else { return Ok(()) };
    let said = end(ops, &mut write, &mut transfer, ended).await?;
    commit(ops, write, vec![(transfer.app, said)]).await
}

/// Writes down how one ended, has people told who have to know, and returns what to say of it.
async fn end(ops: &Ops, write: &mut Write, transfer: &mut Transfer, ended: Ended) -> Result<String> {
    let failure = match &ended {
        Ended::Failed(why) => Some(why.clone()),
        Ended::Done(_) | Ended::Cancelled => None,
    };
    let said = apply(ops, transfer, ended);
    store::transfers::update(write, transfer).await?;
    line(ops, write, transfer.id, &said).await?;
    if let Some(why) = failure {
        news::failed(ops, write, transfer, &why).await?;
    }
    Ok(said)
}

fn apply(ops: &Ops, transfer: &mut Transfer, ended: Ended) -> String {
    transfer.finished_at = Some(ops.now());
    let what = match transfer.kind {
        TransferKind::Backup => format!("Backup {} of {}", transfer.name(), transfer.from_name),
        TransferKind::Restore => {
            format!("Restore {} of {} into {}", transfer.name(), transfer.from_name, transfer.to_name)
        }
        TransferKind::Copy => {
            format!("Copy {} of {} into {}", transfer.name(), transfer.from_name, transfer.to_name)
        }
    };
    match ended {
        Ended::Done(done) => {
            transfer.state = TransferState::Succeeded;
            transfer.source_bytes = done.source_bytes;
            transfer.processed_bytes = done.processed_bytes;
            transfer.warnings = done.warnings;
            transfer.digest = done.digest;
            transfer.figures = done.figures;
            let service = ops.settings().catalog.service(&transfer.service);
            if transfer.kind == TransferKind::Backup && service.is_some_and(|one| one.hooks.verify.is_some())
            {
                transfer.proof = Proof::Wanted;
            }
            format!("{what} completed")
        }
        Ended::Failed(why) => {
            transfer.state = TransferState::Failed;
            format!("{what} failed: {why}")
        }
        Ended::Cancelled => {
            transfer.state = TransferState::Cancelled;
            format!("{what} was cancelled")
        }
    }
}

/// What an earlier server was doing is begun again; where that has been tried often enough, it has failed.
/// What it was trying a backup in is given up.
pub async fn recover(ops: &Ops) -> Result<()> {
    let mut write = ops.store().write().await?;
    let mut said = Vec::new();
    for mut transfer in store::transfers::list(&mut write).await? {
        let interrupted = transfer.state == TransferState::Running;
        if interrupted && (transfer.cancelled || transfer.attempts >= ATTEMPTS) {
            let ended = if transfer.cancelled {
                Ended::Cancelled
            } else {
                Ended::Failed(format!("the server ended {ATTEMPTS} times in the middle of it"))
            };
            said.push((transfer.app, end(ops, &mut write, &mut transfer, ended).await?));
        } else if interrupted {
            transfer.state = TransferState::Pending;
            transfer.processed_bytes = 0;
            line(ops, &mut write, transfer.id, "The server ended in the middle of it. It is begun again.")
                .await?;
        }
        let proving = super::proof::give_up(&mut write, &mut transfer).await?;
        if interrupted || proving {
            store::transfers::update(&mut write, &transfer).await?;
        }
    }
    commit(ops, write, said).await
}

/// Forgets those that are not kept.
pub async fn expire(ops: &Ops, ids: &[TransferId]) -> Result<()> {
    let mut write = ops.store().write().await?;
    for id in ids {
        store::transfers::delete(&mut write, *id).await?;
    }
    Ok(write.commit().await?)
}

pub(crate) async fn line(ops: &Ops, write: &mut Write, id: TransferId, text: &str) -> Result<()> {
    let lines = [TransferLine { time: ops.now(), text: text.to_owned() }];
    Ok(store::transfers::add_lines(write, id, &lines).await?)
}
