//! Clears away what nobody needs any more: what destroyed apps leave, old slugs and logs, what
//! repositories do not need, blobs without an owner.

use crate::driver::{Loop, Turn};
use crate::dynos::app_of;
use crate::error::{Error, Result};
use crate::output::{OutputId, Outputs};
use crate::{Build as Carry, Settings};
use async_trait::async_trait;
use domain::{AppId, BuildStatus, Chore, ChoreKind, ReleaseStatus};
use engine::Engine;
use image::{ImageStore, Roots};
use jiff::SignedDuration;
use logs::Logs;
use ops::Ops;
use serde_json::json;
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What takes long is done this often.
const THOROUGH: Duration = Duration::from_hours(1);
/// What did not change for so long is taken for something that nobody works with.
const QUIET: Duration = Duration::from_mins(1);
/// On containers of builds: the build.
const BUILD_LABEL: &str = "build";
/// Longer than from storing something to writing the row that refers to it.
const GRACE: Duration = Duration::from_hours(2);

/// The loop.
pub(crate) struct Sweep {
    pub(crate) ops: Ops,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) builder: Arc<dyn Carry>,
    pub(crate) images: ImageStore,
    pub(crate) logs: Logs,
    pub(crate) outputs: Outputs,
    pub(crate) settings: Arc<Settings>,
    /// When outputs were cleared away last.
    pub(crate) cleared: Option<Instant>,
    /// When the thorough part was done last.
    pub(crate) thorough: Option<Instant>,
}

#[async_trait]
impl Loop for Sweep {
    fn name(&self) -> &'static str {
        "sweep"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(1)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let chores = store::chores::list(&mut self.ops.store().read().await?).await?;
        let mut left = 0;
        for chore in &chores {
            if self.chore(chore).await? {
                let mut write = self.ops.store().write().await?;
                store::chores::delete(&mut write, chore.id).await?;
                write.commit().await?;
            } else {
                left += 1;
            }
        }
        self.stray_builds().await?;
        if self.cleared.is_none_or(|at| at.elapsed() >= QUIET) {
            self.clear_outputs().await?;
            self.cleared = Some(Instant::now());
        }
        if self.thorough.is_none_or(|at| at.elapsed() >= THOROUGH) {
            self.thoroughly().await?;
            self.thorough = Some(Instant::now());
        }
        // What waits, waits for containers that have 30 seconds to end.
        let next = (left > 0).then(|| self.ops.now() + Duration::from_secs(1));
        Ok(Turn { detail: json!({ "chores_left": left }), next })
    }
}

impl Sweep {
    /// Does a chore; false if it has to wait.
    async fn chore(&self, chore: &Chore) -> Result<bool> {
        match chore.kind {
            ChoreKind::PurgeCache => {
                self.builder.purge_cache(chore.app).map_err(Error::io("purge a build cache"))?;
                Ok(true)
            }
            ChoreKind::AppDestroyed => self.app_destroyed(chore.app).await,
        }
    }

    async fn app_destroyed(&self, app: AppId) -> Result<bool> {
        // Its containers are stopped by whoever runs them; until they are gone they use the rest.
        if self.engine.observe().await?.iter().any(|seen| app_of(seen) == Some(app)) {
            return Ok(false);
        }
        self.logs.remove(app).await?;
        self.builder.purge_cache(app).map_err(Error::io("delete a build cache"))?;
        for path in [format!("git/{app}.git"), format!("cache/{app}")] {
            remove_all(&self.settings.data.join(path)).await.map_err(Error::io("delete an app's files"))?;
        }
        Ok(true)
    }

    /// Removes the containers of builds that are not wanted any more and have no builder.
    async fn stray_builds(&self) -> Result<()> {
        let seen = self.engine.observe().await?;
        for container in seen {
            let Some(build) = container.labels.get(BUILD_LABEL).and_then(|id| id.parse().ok()) else {
                continue;
            };
            // What is made for everybody has no row.
            if app_of(&container) == Some(builder::NOBODY) {
                continue;
            }
            let row = store::builds::by_id(&mut self.ops.store().read().await?, build).await?;
            if row.is_none_or(|build| build.status != BuildStatus::Pending) {
                self.engine.remove(container.id).await?;
            }
        }
        Ok(())
    }

    /// Deletes the outputs of builds and releases whose rows are gone. What changed lately may still
    /// have somebody who works with it.
    async fn clear_outputs(&self) -> Result<()> {
        for id in self.outputs.list().await.map_err(Error::io("list outputs"))? {
            if !self.outputs.is_quiet(id, QUIET).await {
                continue;
            }
            let mut tx = self.ops.store().read().await?;
            let known = match id {
                OutputId::Build(id) => store::builds::by_id(&mut tx, id).await?.is_some(),
                OutputId::Release(id) => store::releases::by_id(&mut tx, id).await?.is_some(),
                OutputId::Setup(id) => store::app_setups::by_id(&mut tx, id).await?.is_some(),
            };
            if !known {
                self.outputs.remove(id).await.map_err(Error::io("delete an output"))?;
            }
        }
        Ok(())
    }

    async fn thoroughly(&self) -> Result<()> {
        self.logs.expire().await?;
        self.stray_logs().await?;
        let apps = store::apps::list(&mut self.ops.store().read().await?).await?;
        for app in apps {
            ops::releases::expire_old(&self.ops, app.id, self.settings.kept_releases).await?;
            // Their outputs go with the rows, when outputs are cleared away next.
            ops::builds::forget_old(&self.ops, app.id, self.settings.kept_builds).await?;
            self.old_commands(app.id).await?;
        }
        ops::sources::expire_old(&self.ops).await?;
        let grace = SignedDuration::try_from(self.settings.registry_grace).unwrap_or(SignedDuration::MAX);
        let swept = ops::registry::sweep(&self.ops, grace).await?;
        if swept != ops::registry::Swept::default() {
            tracing::info!(?swept, "removed what repositories do not need");
        }
        self.collect_garbage().await
    }

    /// Deletes what the commands of old releases printed. The releases stay, for they are the ledger.
    async fn old_commands(&self, app: AppId) -> Result<()> {
        let releases = store::releases::list(&mut self.ops.store().read().await?, app).await?;
        let old = releases.iter().rev().skip(self.settings.kept_releases);
        for release in old.filter(|release| release.status != ReleaseStatus::Pending) {
            let output = OutputId::Release(release.id);
            if self.outputs.exists(output).await {
                self.outputs.remove(output).await.map_err(Error::io("delete an output"))?;
            }
        }
        Ok(())
    }

    /// Logs of apps that a killed server did not get to.
    async fn stray_logs(&self) -> Result<()> {
        let on_disk = self.logs.apps_on_disk().map_err(Error::io("list logs"))?;
        let mut tx = self.ops.store().read().await?;
        for app in on_disk {
            if store::apps::by_id(&mut tx, app).await?.is_none() {
                self.logs.remove(app).await?;
            }
        }
        Ok(())
    }

    async fn collect_garbage(&self) -> Result<()> {
        self.builder.forget_unused().map_err(Error::io("forget what no build uses"))?;
        let mut roots = Roots::default();
        roots
            .images
            .extend(self.builder.kept_images().map_err(Error::io("list the images that builds keep"))?);
        let mut tx = self.ops.store().read().await?;
        roots.images.extend(store::slugs::images(&mut tx).await?);
        roots.blobs = store::builds::sources(&mut tx).await?.into_iter().collect::<HashSet<_>>();
        roots.blobs.extend(store::app_setups::sources(&mut tx).await?);
        roots.blobs.extend(store::sources::digests(&mut tx).await?);
        roots.blobs.extend(store::registry::digests(&mut tx).await?);
        roots.uploads.extend(store::registry::uploads::ids(&mut tx).await?.into_iter().map(|id| id.0));
        drop(tx);
        let images = self.images.clone();
        let collected = tokio::task::spawn_blocking(move || images.collect(&roots, GRACE)).await;
        let collected = collected.map_err(|error| Error::Panic(error.to_string()))??;
        if collected.blobs > 0 || collected.layers > 0 {
            tracing::info!(
                blobs = collected.blobs,
                bytes = collected.bytes,
                layers = collected.layers,
                "removed what nobody needs"
            );
        }
        Ok(())
    }
}

async fn remove_all(path: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
