//! Searching logs, which the platform provides as an add-on: how far back one may look, and searches that are
//! kept. The loop that sends alerts calls [`looked`], [`sent`] and [`not_sent`].

mod alerts;
mod searches;

pub use alerts::{looked, not_sent, sent};
pub use searches::{AlertSet, Set, create, destroy, list, update};

use crate::{Actor, Ops, Permission, Result, addons};
use ::addons::{Plan, Provided};
use domain::{Addon, AddonState, App};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use store::Tx;

/// Searches of one app at most.
const SEARCHES: usize = 50;

/// An app whose log one may search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub app: App,
    /// As far back as its plan goes.
    pub since: Timestamp,
    pub days: u64,
}

/// Looks whether somebody may search an app's log, and how far back.
pub async fn window(ops: &Ops, actor: &Actor, app: &str) -> Result<Window> {
    let mut tx = ops.store().read().await?;
    let (app, addon) = find(ops, &mut tx, actor, app, Permission::Read).await?;
    let days = limit(ops, &addon, SEARCH_DAYS);
    let back = SignedDuration::from_hours(24).checked_mul(i32::try_from(days).unwrap_or(i32::MAX));
    let since = back.and_then(|back| ops.now().checked_sub(back).ok());
    Ok(Window { app, since: since.unwrap_or(Timestamp::MIN), days })
}

/// How much of their logs is to be kept for apps that have the add-on: bytes and age. Takes no actor.
pub async fn kept(ops: &Ops) -> Result<Vec<(domain::AppId, u64, Duration)>> {
    let addons = store::addons::list(&mut ops.store().read().await?).await?;
    let there = addons.into_iter().filter(|addon| addon.state == AddonState::Provisioned);
    let kept = there.filter(|addon| addons::provider(ops, addon) == Some(Provided::Papertrail));
    let bounds = kept.map(|addon| {
        let age = Duration::from_hours(24).saturating_mul(limit(ops, &addon, SEARCH_DAYS) as u32);
        (addon.app, limit(ops, &addon, LOG) << 20, age)
    });
    Ok(bounds.collect())
}

const SEARCH_DAYS: &str = "search_days";
const LOG: &str = "log";

fn limit(ops: &Ops, addon: &Addon, name: &str) -> u64 {
    let service = ops.settings().catalog.service(&addon.service);
    let plan: Option<&Plan> = service.and_then(|service| service.plan(&addon.plan));
    // A plan that is not in the catalog any more has what every app has.
    plan.and_then(|plan| plan.limit(name)).unwrap_or(if name == LOG { 64 } else { 7 })
}

/// An app that one may do this to, and its add-on.
async fn find(
    ops: &Ops,
    tx: &mut Tx,
    actor: &Actor,
    app: &str,
    permission: Permission,
) -> Result<(App, Addon)> {
    addons::find_provided(ops, tx, actor, app, permission, Provided::Papertrail, |app| {
        format!("The log of the app {app} can't be searched. Add that with `heroku addons:create papertrail:choklad`.")
    })
    .await
}
