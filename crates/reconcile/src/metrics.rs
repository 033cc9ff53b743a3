//! Looks at what dynos use of their memory and warns in the app's log (R14).

use crate::driver::{Loop, Turn};
use crate::dynos::{app_of, name_of};
use crate::error::Result;
use crate::lines;
use crate::spec::label;
use async_trait::async_trait;
use domain::{DynoSize, LogLine};
use engine::{Engine, Observation, Status};
use logs::Logs;
use ops::Ops;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The loop.
pub(crate) struct Metrics {
    pub(crate) ops: Ops,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) logs: Logs,
}

#[async_trait]
impl Loop for Metrics {
    fn name(&self) -> &'static str {
        "metrics"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(20)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let mut above = 0;
        for seen in self.engine.observe().await? {
            above += usize::from(self.check(&seen).is_some());
        }
        Ok(Turn { detail: json!({ "above_quota": above }), next: None })
    }
}

impl Metrics {
    fn check(&self, seen: &Observation) -> Option<()> {
        if seen.labels.get(label::KIND)? != label::DYNO || !matches!(seen.status, Status::Running { .. }) {
            return None;
        }
        let size: DynoSize = seen.labels.get(label::SIZE)?.parse().ok()?;
        let warning = lines::memory_warning(&seen.usage, size.spec().memory)?;
        let (app, name) = (app_of(seen)?, name_of(seen)?);
        for text in warning {
            self.logs.append(app, LogLine::heroku(self.ops.now(), &name, text));
        }
        Some(())
    }
}
