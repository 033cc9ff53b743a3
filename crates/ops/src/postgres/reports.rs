//! Reports about databases: whose they are, and how long they are kept.

use super::{Database, find};
use crate::{Actor, Error, Ops, Permission, Result, access, text, transfers};
use domain::{Check, Report, ReportId};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// What the official CLI says of their life: a month.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The newest of one database that are kept.
const NEWEST: u32 = 100;

/// What a report is asked for, in the words of who asks.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The app, and what its database is called there.
    pub app: String,
    pub database: String,
    /// The address with all that one needs to get in.
    pub url: String,
}

/// The database that an address leads to, for somebody who may read its secrets. Others than this
/// installation's are none.
pub async fn by_url(ops: &Ops, actor: &Actor, url: &str) -> Result<Database> {
    let found = transfers::by_url(ops, &mut ops.store().read().await?, url).await?;
    let id = found.ok_or_else(|| {
        Error::invalid(
            "Only databases of this installation can be diagnosed, and this address is none of theirs.",
        )
    })?;
    find(ops, actor, &id.to_string(), Permission::ReadProtected).await
}

/// Keeps what was found out about a database, for a month.
pub async fn keep(
    ops: &Ops,
    actor: &Actor,
    found: &Database,
    wish: &Wish,
    checks: Vec<Check>,
) -> Result<Report> {
    text::check("Database", &wish.database, 256, &[])?;
    let mut write = ops.store().write().await?;
    let app = access::read(&mut write, actor, &wish.app).await?;
    let now = ops.now();
    let report = Report {
        id: ReportId::new(),
        addon: found.addon.addon.id,
        app: app.name.to_string(),
        database: wish.database.clone(),
        checks,
        created_at: now,
    };
    store::reports::insert(&mut write, &report).await?;
    let oldest = now.saturating_sub(KEPT).unwrap_or(now);
    store::reports::trim(&mut write, oldest, report.addon, NEWEST).await?;
    write.commit().await?;
    Ok(report)
}

/// One that was kept, for somebody who may read the secrets of the database it is about.
pub async fn info(ops: &Ops, actor: &Actor, identity: &str) -> Result<Report> {
    let missing = || Error::NotFound {
        resource: "report",
        message: format!("There is no report {identity}. Reports are kept for a month."),
    };
    let id = identity.parse().map_err(|_| missing())?;
    let report = store::reports::by_id(&mut ops.store().read().await?, id).await?.ok_or_else(missing)?;
    let oldest = ops.now().saturating_sub(KEPT).unwrap_or(report.created_at);
    if report.created_at < oldest {
        return Err(missing());
    }
    match find(ops, actor, &report.addon.to_string(), Permission::ReadProtected).await {
        Ok(_) => Ok(report),
        // Who may not see the database is not told that there is a report about it.
        Err(Error::NotFound { .. }) => Err(missing()),
        Err(error) => Err(error),
    }
}

/// What a database said of itself last, as in the logs of its apps.
pub async fn samples(ops: &Ops, actor: &Actor, identity: &str) -> Result<BTreeMap<String, String>> {
    let found = find(ops, actor, identity, Permission::Read).await?;
    Ok(store::settings::samples(&mut ops.store().read().await?, found.addon.addon.id).await?)
}
