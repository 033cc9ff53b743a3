//! What the loop that sends alerts says about them. None of these takes an actor.

use crate::{Ops, Result};
use domain::papertrail::{Alert, Batch, Search};
use domain::{BatchId, SearchId};
use jiff::Timestamp;
use store::Write;

/// A search was looked up: up to this line, and whether lines match that are to be sent. Unless it has changed
/// meanwhile.
pub async fn looked(ops: &Ops, before: &Search, last: u64, found: bool) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some((mut search, mut alert)) = alert(&mut write, before.id).await? else { return Ok(()) };
    let known = before.alert.as_ref().map(|alert| alert.seen);
    if alert.batch.is_some() || Some(alert.seen) != known || search.query != before.query {
        return Ok(());
    }
    alert.checked_at = ops.now();
    if found {
        alert.batch =
            Some(Batch { id: BatchId::new(), after: alert.seen, until: last, attempts: 0, retry_at: None });
    } else {
        alert.seen = last;
    }
    search.alert = Some(alert);
    store::papertrail::set(&mut write, &search).await?;
    Ok(write.commit().await?)
}

/// A batch was sent.
pub async fn sent(ops: &Ops, id: SearchId, batch: BatchId) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some((mut search, mut alert)) = alert(&mut write, id).await? else { return Ok(()) };
    let Some(done) = alert.batch.take_if(|one| one.id == batch) else { return Ok(()) };
    alert.seen = done.until;
    (alert.sent_at, alert.failure) = (Some(ops.now()), None);
    search.alert = Some(alert);
    store::papertrail::set(&mut write, &search).await?;
    Ok(write.commit().await?)
}

/// An attempt to send a batch failed. It is repeated then, or for `None` given up, which the app's log tells.
pub async fn not_sent(
    ops: &Ops,
    id: SearchId,
    batch: BatchId,
    why: &str,
    retry_at: Option<Timestamp>,
) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some((mut search, mut alert)) = alert(&mut write, id).await? else { return Ok(()) };
    let Some(mut tried) = alert.batch.take_if(|one| one.id == batch) else { return Ok(()) };
    let app = store::addons::by_id(&mut write, search.addon).await?.map(|addon| addon.app);
    let mut said = Vec::new();
    alert.failure = Some(why.to_owned());
    if let Some(at) = retry_at {
        (tried.attempts, tried.retry_at) = (tried.attempts.saturating_add(1), Some(at));
        alert.batch = Some(tried);
    } else {
        alert.seen = tried.until;
        let line =
            format!("An alert of the search {:?} could not be sent and was given up: {why}", search.name);
        said.extend(app.map(|app| (app, vec![line])));
    }
    search.alert = Some(alert);
    store::papertrail::set(&mut write, &search).await?;
    ops.commit_all(write, said).await
}

async fn alert(write: &mut Write, id: SearchId) -> Result<Option<(Search, Alert)>> {
    let Some(mut search) = store::papertrail::by_id(write, id).await? else { return Ok(None) };
    Ok(search.alert.take().map(|alert| (search, alert)))
}
