//! Source tarballs that clients upload to build them afterwards. The addresses are secret and are the
//! only credential for them.

use crate::{Actor, Error, Ops, Permission, Result, access, random};
use domain::{Digest, Source, SourceId};
use jiff::{SignedDuration, Timestamp};

/// How long an upload is kept; Heroku's addresses live an hour.
const KEPT_HOURS: i64 = 24;

/// Makes an address to upload to; for one app (which one must be allowed to change) or none.
pub async fn create(ops: &Ops, actor: &Actor, app: Option<&str>) -> Result<Source> {
    actor.require(Permission::Write)?;
    let mut write = ops.store().write().await?;
    if let Some(app) = app {
        access::write(&mut write, actor, app).await?;
    }
    let source = Source {
        id: SourceId::new(),
        account: actor.account.id,
        upload_key: random::key(),
        download_key: random::key(),
        digest: None,
        created_at: ops.now(),
    };
    store::sources::insert(&mut write, &source).await?;
    write.commit().await?;
    Ok(source)
}

/// The source that may be uploaded to this address.
pub async fn by_upload_key(ops: &Ops, key: &str) -> Result<Source> {
    let source = store::sources::by_upload_key(&mut ops.store().read().await?, key).await?;
    source.filter(|source| source.digest.is_none()).ok_or_else(|| Error::not_found("source"))
}

/// The uploaded source behind this address.
pub async fn by_download_key(ops: &Ops, key: &str) -> Result<Source> {
    let source = store::sources::by_download_key(&mut ops.store().read().await?, key).await?;
    source.filter(|source| source.digest.is_some()).ok_or_else(|| Error::not_found("source"))
}

/// Records an upload; the first one counts.
pub async fn uploaded(ops: &Ops, key: &str, digest: Digest) -> Result<Source> {
    let mut write = ops.store().write().await?;
    let source =
        store::sources::by_upload_key(&mut write, key).await?.ok_or_else(|| Error::not_found("source"))?;
    if source.digest.is_some_and(|known| known != digest) {
        return Err(Error::Conflict("This source was uploaded already.".into()));
    }
    store::sources::set_digest(&mut write, source.id, digest).await?;
    write.commit().await?;
    Ok(Source { digest: Some(digest), ..source })
}

/// Forgets uploads that are older than a day. Called by the loop that clears away.
pub async fn expire_old(ops: &Ops) -> Result<u64> {
    let end: Timestamp =
        ops.now().checked_sub(SignedDuration::from_hours(KEPT_HOURS)).unwrap_or(Timestamp::MIN);
    let mut write = ops.store().write().await?;
    let count = store::sources::delete_before(&mut write, end).await?;
    if count > 0 {
        write.commit().await?;
    }
    Ok(count)
}
