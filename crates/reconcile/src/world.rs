//! One consistent look at the rows that dynos and routes follow from.

use crate::error::Result;
use domain::{App, AppId, Domain, Dyno, ReleaseId};
use planner::dynos::{AppWish, Desired, TypeWish};
use planner::routes::AppHosts;
use std::collections::{BTreeMap, BTreeSet};
use store::{Store, Tx};

/// The rows.
pub(crate) struct World {
    pub(crate) apps: BTreeMap<AppId, App>,
    pub(crate) desired: Desired,
    pub(crate) dynos: Vec<Dyno>,
}

impl World {
    pub(crate) async fn load(store: &Store) -> Result<Self> {
        Self::load_from(&mut store.read().await?).await
    }

    async fn load_from(tx: &mut Tx) -> Result<Self> {
        let apps: BTreeMap<_, _> =
            store::apps::list(tx).await?.into_iter().map(|app| (app.id, app)).collect();
        let mut desired = Desired::default();
        for app in apps.keys() {
            desired.apps.insert(*app, AppWish::default());
        }
        for release in store::releases::current(tx).await? {
            // A release without a slug (before the first deploy) has nothing to run.
            if let Some(wish) = desired.apps.get_mut(&release.app).filter(|_| release.slug.is_some()) {
                wish.release = Some(release.id);
            }
        }
        for row in store::formation::all(tx).await? {
            let wish = TypeWish {
                process_type: row.process_type,
                command: row.command,
                quantity: row.quantity,
                size: row.size,
            };
            desired.apps.entry(row.app).or_default().formation.push(wish);
        }
        desired.pending_releases =
            store::releases::pending(tx).await?.into_iter().map(|release| release.id).collect();
        desired.awaited = store::app_setups::awaited_dynos(tx).await?.into_iter().collect();
        desired.awaited.extend(store::scheduler::runs::awaited_dynos(tx).await?);
        let dynos = store::dynos::all(tx).await?;
        Ok(Self { apps, desired, dynos })
    }
}

/// The addresses of an app's own pages for errors and for maintenance.
pub(crate) type Pages = [Option<String>; 2];

/// The rows with what only routes need. `pages` keeps what was read before: the config vars of a
/// release never change.
pub(crate) async fn load_for_routes(
    store: &Store,
    pages: &mut BTreeMap<ReleaseId, Pages>,
) -> Result<(World, Vec<AppHosts>)> {
    let mut tx = store.read().await?;
    let world = World::load_from(&mut tx).await?;
    let mut hosts: BTreeMap<AppId, Vec<String>> = BTreeMap::new();
    for Domain { app, hostname, .. } in store::domains::all(&mut tx).await? {
        hosts.entry(app).or_default().push(hostname);
    }
    let mut list = Vec::with_capacity(world.apps.len());
    for app in world.apps.values() {
        let [error_page, maintenance_page] = match app.current_release {
            Some(release) => pages_of(&mut tx, release, pages).await?,
            None => [None, None],
        };
        list.push(AppHosts {
            app: app.id,
            name: app.name.clone(),
            hosts: hosts.remove(&app.id).unwrap_or_default(),
            maintenance: app.maintenance,
            error_page,
            maintenance_page,
        });
    }
    let current: BTreeSet<_> = world.apps.values().filter_map(|app| app.current_release).collect();
    pages.retain(|release, _| current.contains(release));
    Ok((world, list))
}

async fn pages_of(tx: &mut Tx, release: ReleaseId, known: &mut BTreeMap<ReleaseId, Pages>) -> Result<Pages> {
    if let Some(pages) = known.get(&release) {
        return Ok(pages.clone());
    }
    let vars = store::configs::of_release(tx, release).await?;
    let page = |name: &str| vars.0.get(name).filter(|address| !address.is_empty()).cloned();
    let pages = [page("ERROR_PAGE_URL"), page("MAINTENANCE_PAGE_URL")];
    known.insert(release, pages.clone());
    Ok(pages)
}
