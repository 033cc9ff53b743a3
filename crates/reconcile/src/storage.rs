//! Measures databases that share a server, and stops those from growing that hold more than their plans
//! allow.

use crate::driver::{Loop, Turn};
use crate::error::{Result, chain};
use async_trait::async_trait;
use domain::DatabaseAccess;
use ops::Ops;
use ops::postgres::Measured;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

/// What a server answers, or why it does not.
pub type Answer<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The servers that databases are in.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Bytes of each database of a server.
    async fn sizes(&self, access: &DatabaseAccess) -> Answer<BTreeMap<String, u64>>;

    /// Lets the owner of a database add to it, or not.
    async fn allow_growth(&self, access: &DatabaseAccess, allowed: bool) -> Answer<()>;
}

/// The loop.
pub(crate) struct Watch {
    pub(crate) ops: Ops,
    pub(crate) servers: Arc<dyn Storage>,
}

#[async_trait]
impl Loop for Watch {
    fn name(&self) -> &'static str {
        "storage"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(45)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let mut servers: BTreeMap<SocketAddrV4, Vec<Measured>> = BTreeMap::new();
        for one in ops::postgres::measured(&self.ops).await? {
            servers.entry(one.access.address).or_default().push(one);
        }
        let (mut over, mut failures) = (0, Vec::new());
        for databases in servers.values() {
            let Some(first) = databases.first() else { continue };
            let sizes = match self.servers.sizes(&first.access).await {
                Ok(sizes) => sizes,
                Err(error) => {
                    failures.push(error.to_string());
                    continue;
                }
            };
            for one in databases {
                let Some(size) = sizes.get(&one.access.database) else { continue };
                let is_over = *size > one.limit;
                over += usize::from(is_over);
                if let Err(error) = self.limit(one, is_over).await {
                    let error = chain(&error);
                    tracing::warn!(addon = one.addon.name, error, "could not limit a database");
                    failures.push(error);
                }
            }
        }
        Ok(Turn { detail: json!({ "over": over, "failures": failures }), next: None })
    }
}

impl Watch {
    /// First the server, then the row: who is told that it may grow again finds it so. While it is over,
    /// the server is told each time, because of tables that are new.
    async fn limit(&self, one: &Measured, over: bool) -> Result<()> {
        if !over && !one.addon.over_limit {
            return Ok(());
        }
        let done = self.servers.allow_growth(&one.access, !over).await;
        done.map_err(|error| crate::error::Error::Service(error.to_string()))?;
        Ok(ops::postgres::limited(&self.ops, one.addon.id, over).await?)
    }
}
