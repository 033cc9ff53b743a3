//! Publishes the route table whenever a row that it follows from has changed.

use crate::driver::{Loop, Turn};
use crate::error::Result;
use crate::{Routing, world};
use async_trait::async_trait;
use domain::ReleaseId;
use ops::Ops;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Makes tables and hands them over, one at a time. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) ops: Ops,
    pub(crate) routing: Arc<dyn Routing>,
    pub(crate) settings: Arc<planner::dynos::Settings>,
    last: Arc<Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    /// The generation handed over last.
    generation: u64,
    pages: BTreeMap<ReleaseId, world::Pages>,
}

impl Publisher {
    pub(crate) fn new(ops: Ops, routing: Arc<dyn Routing>, settings: Arc<planner::dynos::Settings>) -> Self {
        Self { ops, routing, settings, last: Arc::default() }
    }

    /// Publishes what the rows say now. When it returns, no request is newly given to a dyno that
    /// is not in the table any more.
    pub(crate) async fn publish(&self) -> Result<Turn> {
        // Held while reading, so that a later table is never made from earlier rows.
        let mut last = self.last.lock().await;
        let (world, hosts) = world::load_for_routes(self.ops.store(), &mut last.pages).await?;
        last.generation += 1;
        let generation = last.generation;
        let now = self.ops.now();
        let table =
            planner::routes::table(&hosts, &world.desired, &world.dynos, now, &self.settings, generation);
        let detail = json!({ "generation": generation, "hosts": table.hosts.len() });
        self.routing.publish(&table);
        Ok(Turn { detail, next: None })
    }
}

#[async_trait]
impl Loop for Publisher {
    fn name(&self) -> &'static str {
        "routes"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        self.publish().await
    }
}
