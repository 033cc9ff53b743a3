//! Carries app setups: reads the `app.json` of their source, and takes them on when their build, their
//! release or their script has ended.
//!
//! All that is known of a setup is in its row and those it refers to; what is read again after a kill
//! leads to the same step, which `ops` takes once.

use crate::collect::Collected;
use crate::driver::{Loop, Nudge, Turn};
use crate::error::{Error, Result, chain};
use crate::fetch::fetch;
use crate::output::{OutputId, Outputs};
use crate::releases::is_over;
use crate::{Build as Carry, Settings};
use async_trait::async_trait;
use domain::{AppSetup, AppSetupId, Digest, Dyno};
use engine::Engine;
use image::ImageStore;
use ops::Ops;
use ops::app_setups::{self, Next};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A source that this machine fails to read is given up after so many times.
const ATTEMPTS: u32 = 5;

/// The loop.
pub(crate) struct Setups {
    pub(crate) ops: Ops,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) builder: Arc<dyn Carry>,
    pub(crate) images: ImageStore,
    pub(crate) outputs: Outputs,
    pub(crate) settings: Arc<Settings>,
    pub(crate) collected: Collected,
    pub(crate) nudge: Nudge,
    pub(crate) shutdown: CancellationToken,
    pub(crate) children: TaskTracker,
    /// Those that download a source and read its `app.json`.
    pub(crate) readers: HashMap<AppSetupId, JoinHandle<()>>,
}

#[async_trait]
impl Loop for Setups {
    fn name(&self) -> &'static str {
        "setups"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        self.readers.retain(|_, reader| !reader.is_finished());
        let pending = store::app_setups::pending(&mut self.ops.store().read().await?).await?;
        for setup in &pending {
            if setup.plan.is_some() {
                self.advance(setup.id).await?;
            } else if !self.readers.contains_key(&setup.id) && self.readers.len() < self.settings.max_builds {
                self.read(setup.clone());
            }
        }
        Ok(Turn { detail: json!({ "pending": pending.len(), "reading": self.readers.len() }), next: None })
    }
}

impl Setups {
    fn read(&mut self, setup: AppSetup) {
        let id = setup.id;
        let reader = Reader {
            ops: self.ops.clone(),
            builder: self.builder.clone(),
            images: self.images.clone(),
            settings: self.settings.clone(),
        };
        let (nudge, shutdown) = (self.nudge.clone(), self.shutdown.clone());
        let task = self.children.spawn(async move {
            tokio::select! {
                // The next server reads it again.
                () = shutdown.cancelled() => return,
                () = reader.read(&setup) => {}
            }
            nudge.now();
        });
        self.readers.insert(id, task);
    }

    /// Takes a setup as far as it goes now.
    async fn advance(&self, id: AppSetupId) -> Result<()> {
        match app_setups::advance(&self.ops, id).await? {
            Next::Addons | Next::Deploy | Next::Nothing => Ok(()),
            Next::Lost => self.finish(id, None).await,
            Next::Postdeploy(dyno) => self.postdeploy(id, &dyno).await,
        }
    }

    async fn postdeploy(&self, id: AppSetupId, dyno: &Dyno) -> Result<()> {
        if is_over(dyno) && self.collected.has_all_of(&*self.engine, dyno.id.0).await? {
            self.finish(id, dyno.exit_status).await?;
        }
        Ok(())
    }

    async fn finish(&self, id: AppSetupId, exit_code: Option<i32>) -> Result<()> {
        // First, so that whoever sees the exit code can read to an end.
        self.outputs.finish(OutputId::Setup(id)).await.map_err(Error::io("end a setup's output"))?;
        Ok(app_setups::finish_postdeploy(&self.ops, id, exit_code).await?)
    }
}

/// What reads one `app.json`.
struct Reader {
    ops: Ops,
    builder: Arc<dyn Carry>,
    images: ImageStore,
    settings: Arc<Settings>,
}

/// Why a setup fails here: a message, and what is wrong with `app.json`.
type Failure = (String, Vec<String>);

impl Reader {
    /// Takes a setup to its build or to its failure. After a failure of this machine's, a full disk
    /// for example, it rests and tries again, but not for ever: its user waits for an end.
    async fn read(&self, setup: &AppSetup) {
        let mut rest = self.settings.setup_rest;
        for attempt in 1..=ATTEMPTS {
            let Err(error) = self.run(setup).await else { return };
            let why = chain(&error);
            tracing::error!(setup = %setup.id, attempt, error = why, "an app setup could not go on");
            if attempt == ATTEMPTS {
                let failure = (format!("{GIVEN_UP} ({ATTEMPTS} attempts): {why}. {OPERATOR}"), Vec::new());
                if let Err(error) = self.fail(setup.id, failure).await {
                    tracing::error!(setup = %setup.id, error = chain(&error), "it could not even be failed");
                }
            }
            tokio::time::sleep(rest).await;
            rest *= 2;
        }
    }

    /// Begins a setup's build, or fails the setup. An error leaves it as it was.
    async fn run(&self, setup: &AppSetup) -> Result<()> {
        let source = match self.source(setup).await {
            Ok(source) => source,
            Err(failure) => return self.fail(setup.id, failure).await,
        };
        let failure = match self.builder.app_json(source).await {
            Ok(Some(Ok(parsed))) => {
                return Ok(app_setups::begin(&self.ops, setup.id, source, parsed.app_json).await?);
            }
            Ok(Some(Err(error))) => ("invalid app.json".into(), vec![format!("app.json {error}")]),
            Ok(None) => ("the source has no app.json".into(), vec![MISSING.into()]),
            Err(error) if error.is_users() => {
                let words = error.words();
                (format!("{} {}", words.happened, words.why).trim_end().to_owned(), Vec::new())
            }
            Err(error) => return Err(error.into()),
        };
        self.fail(setup.id, failure).await
    }

    async fn source(&self, setup: &AppSetup) -> std::result::Result<Digest, Failure> {
        if let Some(source) = setup.source {
            return Ok(source);
        }
        let Settings { source_limit, fetch_timeout, source_networks, .. } = &*self.settings;
        let (url, checksum) = (&setup.source_url, setup.source_checksum.as_deref());
        fetch(&self.images, url, checksum, *source_limit, *fetch_timeout, source_networks)
            .await
            .map_err(|error| (error.to_string(), Vec::new()))
    }

    async fn fail(&self, id: AppSetupId, (message, errors): Failure) -> Result<()> {
        Ok(app_setups::fail(&self.ops, id, message, errors).await?)
    }
}

const GIVEN_UP: &str = "the server could not read the source";
const OPERATOR: &str = "Ask its operator to look into it, then set the app up again";
const MISSING: &str = "there is no app.json at the root of the source";
