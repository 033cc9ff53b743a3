//! Uploads of blobs. The bytes go into the image store meanwhile, under the upload's id.

use super::room;
use super::{made, writable};
use crate::{Actor, Error, Ops, Result};
use domain::{AppId, Digest, RepositoryBlob, RepositoryName, Upload, UploadId};
use jiff::SignedDuration;
use store::{Tx, Write};

/// A row is touched when it was not for so long, and not with every piece that comes.
const TOUCH: SignedDuration = SignedDuration::from_mins(1);
/// Which nobody sent anything to for so long, may have been broken off.
const IDLE: SignedDuration = SignedDuration::from_mins(15);

/// Begins an upload.
pub async fn begin_upload(ops: &Ops, actor: &Actor, name: &RepositoryName) -> Result<Upload> {
    let mut write = ops.store().write().await?;
    let repository = made(ops, &mut write, actor, name).await?;
    let max = ops.settings().max_uploads;
    if store::registry::uploads::count(&mut write, repository.app).await? >= max
        && !give_up_oldest(ops, &mut write, repository.app).await?
    {
        return Err(Error::Conflict(format!(
            "The app {} has {max} uploads under way already. Wait for one to end, or cancel some.",
            name.app
        )));
    }
    let upload =
        Upload { id: UploadId::new(), repository: repository.id, reserved: 0, touched_at: ops.now() };
    store::registry::uploads::insert(&mut write, &upload).await?;
    write.commit().await?;
    Ok(upload)
}

/// Makes room for another upload: clients that break off often do not say so.
async fn give_up_oldest(ops: &Ops, write: &mut Write, app: AppId) -> Result<bool> {
    let oldest = store::registry::uploads::oldest(write, app).await?;
    match oldest.filter(|oldest| ops.now().duration_since(oldest.touched_at) > IDLE) {
        Some(oldest) => Ok(store::registry::uploads::delete(write, oldest.id).await?),
        None => Ok(false),
    }
}

/// An upload of this repository that somebody may go on with.
pub async fn upload(ops: &Ops, actor: &Actor, name: &RepositoryName, id: UploadId) -> Result<Upload> {
    let mut tx = ops.store().read().await?;
    let found = find(&mut tx, actor, name, id).await?;
    drop(tx);
    if ops.now().duration_since(found.touched_at) > TOUCH {
        let mut write = ops.store().write().await?;
        store::registry::uploads::touch(&mut write, id, ops.now()).await?;
        write.commit().await?;
    }
    Ok(found)
}

/// Promises an upload room for `need` bytes in all, or for more, up to `wish`, if there is that much.
/// Returns for how many. Called before bytes are taken, so that none come that could not stay.
pub async fn reserve_upload(
    ops: &Ops,
    actor: &Actor,
    name: &RepositoryName,
    id: UploadId,
    need: u64,
    wish: u64,
) -> Result<u64> {
    let mut write = ops.store().write().await?;
    let repository = writable(&mut write, actor, name).await?;
    let upload = find(&mut write, actor, name, id).await?;
    if upload.reserved >= need {
        return Ok(upload.reserved);
    }
    // What it was promised is counted there.
    let left = room::left(ops, &mut write, repository.app).await?.saturating_add(upload.reserved);
    if need > left {
        return Err(room::none(ops));
    }
    let promised = wish.clamp(need, left);
    store::registry::uploads::reserve(&mut write, id, promised).await?;
    write.commit().await?;
    Ok(promised)
}

/// Gives back what an upload, which has `size` bytes now, was promised and did not use.
pub async fn settle_upload(ops: &Ops, id: UploadId, size: u64) -> Result<()> {
    let mut write = ops.store().write().await?;
    store::registry::uploads::reserve(&mut write, id, size).await?;
    Ok(write.commit().await?)
}

/// Ends an upload whose bytes have become this blob.
pub async fn finish_upload(
    ops: &Ops,
    actor: &Actor,
    name: &RepositoryName,
    id: UploadId,
    (digest, size): (Digest, u64),
) -> Result<()> {
    let mut write = ops.store().write().await?;
    let repository = writable(&mut write, actor, name).await?;
    find(&mut write, actor, name, id).await?;
    store::registry::uploads::delete(&mut write, id).await?;
    let blob = RepositoryBlob { digest, size, touched_at: ops.now() };
    let room = room::for_blob(ops, &mut write, &repository, &blob).await;
    if room.is_ok() {
        store::registry::blobs::put(&mut write, repository.id, &blob).await?;
    }
    // Over it is in any case.
    write.commit().await?;
    room
}

/// Gives an upload up.
pub async fn cancel_upload(ops: &Ops, actor: &Actor, name: &RepositoryName, id: UploadId) -> Result<()> {
    let mut write = ops.store().write().await?;
    find(&mut write, actor, name, id).await?;
    store::registry::uploads::delete(&mut write, id).await?;
    Ok(write.commit().await?)
}

async fn find(tx: &mut Tx, actor: &Actor, name: &RepositoryName, id: UploadId) -> Result<Upload> {
    let repository = writable(tx, actor, name).await?;
    let found = store::registry::uploads::by_id(tx, id).await?;
    found.filter(|upload| upload.repository == repository.id).ok_or_else(|| Error::NotFound {
        resource: "upload",
        message: "There is no such upload; it has ended, or was given up.".into(),
    })
}
