//! Databases that grow beyond their plans, and shrink again.

use super::harness::World;
use crate::driver::Loop;
use crate::storage::{Answer, Storage, Watch};
use async_trait::async_trait;
use domain::DatabaseAccess;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A server with databases of these sizes, that remembers what it was told.
#[derive(Default)]
pub(crate) struct Server {
    sizes: Mutex<BTreeMap<String, u64>>,
    told: Mutex<Vec<bool>>,
}

#[async_trait]
impl Storage for Server {
    async fn sizes(&self, _: &DatabaseAccess) -> Answer<BTreeMap<String, u64>> {
        Ok(self.sizes.lock().unwrap().clone())
    }

    async fn allow_growth(&self, _: &DatabaseAccess, allowed: bool) -> Answer<()> {
        self.told.lock().unwrap().push(allowed);
        Ok(())
    }
}

#[tokio::test]
async fn who_holds_too_much_is_stopped_and_let_go_again() {
    let world = World::new().await;
    let catalog = addons::Catalog::load(None).unwrap();
    let ops = world.with_settings(ops::Settings { catalog: Arc::new(catalog), ..ops::Settings::default() });
    let app = world.create_app("shop").await;
    let order = ops::addons::Create {
        plan: "heroku-postgresql:essential-0".into(),
        ..ops::addons::Create::default()
    };
    let made = ops::addons::create(&ops, &world.actor, app.name.as_str(), order).await.unwrap();
    let id = made.addon.id;
    let server = Arc::new(Server::default());
    let mut watch = Watch { ops: ops.clone(), servers: server.clone() };
    watch.run_once().await.unwrap();
    assert_eq!(ops::postgres::measured(&ops).await.unwrap().len(), 0, "it is not there yet");

    ops::addons::provisioned(&ops, id).await.unwrap();
    let database = ops::postgres::measured(&ops).await.unwrap()[0].access.database.clone();
    let mut look = async |bytes: u64| {
        server.sizes.lock().unwrap().insert(database.clone(), bytes);
        watch.run_once().await.unwrap();
        let mut tx = ops.store().read().await.unwrap();
        let over = store::addons::by_id(&mut tx, id).await.unwrap().unwrap().over_limit;
        (over, std::mem::take(&mut *server.told.lock().unwrap()))
    };
    assert_eq!(look(1 << 30).await, (false, vec![]));
    assert_eq!(look((1 << 30) + 1).await, (true, vec![false]));
    assert_eq!(look((1 << 30) + 2).await, (true, vec![false]), "again, for tables that are new");
    assert_eq!(look(1 << 20).await, (false, vec![true]));
    assert_eq!(look(1 << 20).await, (false, vec![]));
    let log = world.log(&app).await;
    assert_eq!(
        log.iter().filter(|line| line.contains("INSERT and UPDATE are revoked")).count(),
        1,
        "{log:?}"
    );
    assert_eq!(log.iter().filter(|line| line.contains("given back.")).count(), 1, "{log:?}");
}
