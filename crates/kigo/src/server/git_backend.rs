//! What git asks of the rest of Kigo, answered by operations, the blob store and the loops' output.

use async_trait::async_trait;
use domain::{AppName, Build, BuildId, BuildStatus, Release, ReleaseId, ReleaseStatus};
use futures_util::StreamExt;
use git::{Backend, BackendError, Known, NewBuild, Progress, Pusher, Target};
use image::ImageStore;
use ops::{Actor, Ops, Permission};
use reconcile::{OutputId, Outputs};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::{mpsc, watch};

/// Bytes of a pushed tree at most, as an archive.
const SOURCE_LIMIT: u64 = 2 << 30;
/// With less than so many bytes free no push is taken, so that what runs can still write.
const ROOM: u64 = 64 << 20;
/// Rows are looked at again after this long even if nobody said that they changed.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The backend of `/{app}.git`.
#[derive(Clone)]
pub(crate) struct GitBackend {
    pub(crate) ops: Ops,
    pub(crate) images: ImageStore,
    pub(crate) outputs: Outputs,
    /// The data directory.
    pub(crate) data: PathBuf,
}

type Result<T> = std::result::Result<T, BackendError>;

#[async_trait]
impl Backend for GitBackend {
    async fn authenticate(&self, token: &str) -> Result<Pusher> {
        let actor = ops::authorizations::authenticate(&self.ops, token).await.map_err(refused)?;
        // Later steps know the person and not the token, so what the token may do is asked here.
        actor.require(Permission::Write).map_err(refused)?;
        Ok(Pusher { account: actor.account.id, email: actor.account.email })
    }

    async fn app(&self, pusher: &Pusher, name: &AppName) -> Result<Target> {
        let actor = self.actor(pusher).await?;
        let app = ops::apps::authorize_push(&self.ops, &actor, name.as_str()).await.map_err(refused)?;
        Ok(Target { app: app.id, name: app.name })
    }

    /// Git itself does not say that the disk is full when it has no room at all.
    async fn ready(&self) -> Result<()> {
        let free = rustix::fs::statvfs(&self.data).map(|disk| disk.f_bavail * disk.f_frsize);
        match free {
            Ok(free) if free < ROOM => Err(BackendError::Refused(ops::DISK_FULL.into())),
            _ => Ok(()),
        }
    }

    async fn known(&self, target: &Target, commit: &str) -> Result<Known> {
        let mut tx = self.ops.store().read().await.map_err(internal)?;
        let app = store::apps::by_id(&mut tx, target.app).await.map_err(internal)?;
        let current = app.ok_or(BackendError::NotFound)?.current_release;
        let release = match current {
            Some(id) => store::releases::by_id(&mut tx, id).await.map_err(internal)?,
            None => None,
        };
        if let Some(slug) = release.and_then(|release| release.slug) {
            let slug = store::slugs::by_id(&mut tx, slug).await.map_err(internal)?;
            if slug.is_some_and(|slug| slug.commit.as_deref() == Some(commit)) {
                return Ok(Known::Live);
            }
        }
        let builds = store::builds::list(&mut tx, target.app).await.map_err(internal)?;
        let pending = |build: &&Build| {
            build.status == BuildStatus::Pending && build.source_version.as_deref() == Some(commit)
        };
        Ok(builds.iter().rev().find(pending).map_or(Known::Nothing, |build| Known::Building(build.id)))
    }

    async fn start_build(
        &self,
        build: NewBuild,
        source: Box<dyn AsyncRead + Send + Unpin>,
    ) -> Result<BuildId> {
        let actor = self.actor(&build.pusher).await?;
        let blob =
            self.images.receive_blob(source, SOURCE_LIMIT, None).await.map_err(|error| match error {
                image::StoreError::TooLarge { .. } => BackendError::Refused(format!(
                    "The pushed tree is larger than {} GB.",
                    SOURCE_LIMIT >> 30
                )),
                error => internal(error),
            })?;
        // Held until a row refers to it.
        let _pin = self.images.pin(blob.digest);
        let input = ops::builds::CreateFromBlob {
            source: blob.digest,
            description: format!("git push of {}", build.commit),
            version: Some(build.commit),
            version_description: Some(build.description),
        };
        let app = build.target.app.to_string();
        let made = ops::builds::create_from_blob(&self.ops, &actor, &app, input).await.map_err(refused)?;
        Ok(made.build.id)
    }

    async fn follow(&self, build: BuildId) -> Result<mpsc::Receiver<Progress>> {
        let (sender, receiver) = mpsc::channel(16);
        let backend = self.clone();
        tokio::spawn(async move {
            // A receiver that is gone needs no more; a fault shows as an end before the last step.
            if let Some(Err(error)) = backend.tell(build, &sender).await {
                tracing::error!(%build, error = &error as &dyn std::error::Error, "cannot follow a build");
            }
        });
        Ok(receiver)
    }

    async fn repository_changed(&self, target: &Target, size: u64) {
        let written = async {
            let mut write = self.ops.store().write().await?;
            store::apps::set_repo_size(&mut write, target.app, size, self.ops.now()).await?;
            write.commit().await
        };
        if let Err(error) = written.await {
            tracing::warn!(app = %target.app, %error, "cannot note the size of a repository");
        }
    }
}

/// `None` when nobody listens any more.
type Told<T> = Option<Result<T>>;

impl GitBackend {
    /// The person again, with every right: what the token allows was asked when it was seen.
    async fn actor(&self, pusher: &Pusher) -> Result<Actor> {
        let mut tx = self.ops.store().read().await.map_err(internal)?;
        let account = store::accounts::by_id(&mut tx, pusher.account).await.map_err(internal)?;
        Ok(Actor { account: account.ok_or(BackendError::Unauthenticated)?, authorization: None })
    }

    /// Tells all steps of a build and its release, in order.
    async fn tell(&self, id: BuildId, to: &mpsc::Sender<Progress>) -> Told<()> {
        self.stream(OutputId::Build(id), to, Progress::Output).await?;
        let build = match self.ended_build(id, to).await? {
            Ok(build) => build,
            Err(error) => return Some(Err(error)),
        };
        let succeeded = build.status == BuildStatus::Succeeded;
        to.send(Progress::Built { succeeded }).await.ok()?;
        let Some(release) = build.release.filter(|_| succeeded) else { return Some(Ok(())) };
        match self.release(release).await {
            Ok(release) if release.output_key.is_some() => {}
            Ok(_) => return Some(Ok(())),
            Err(error) => return Some(Err(error)),
        }
        to.send(Progress::ReleaseCommand).await.ok()?;
        self.stream(OutputId::Release(release), to, Progress::ReleaseOutput).await?;
        let release = match self.ended_release(release, to).await? {
            Ok(release) => release,
            Err(error) => return Some(Err(error)),
        };
        let succeeded = release.status == ReleaseStatus::Succeeded;
        to.send(Progress::Released { succeeded }).await.ok()?;
        Some(Ok(()))
    }

    /// Passes an output on, from its first byte to its last. What ended without ever beginning has
    /// none.
    async fn stream(
        &self,
        id: OutputId,
        to: &mpsc::Sender<Progress>,
        step: fn(bytes::Bytes) -> Progress,
    ) -> Option<()> {
        let mut changes = self.ops.store().changes();
        // No row changes when a build begins to print.
        let mut growth = self.outputs.changes(id);
        let mut stream = loop {
            changes.mark_unchanged();
            growth.mark_unchanged();
            // Asked first: what has ended and then has no output will never have one.
            let ended = self.ended(id).await;
            match self.outputs.follow(id, 0).await {
                Ok(Some(stream)) => break stream,
                Ok(None) if ended => return Some(()),
                Ok(None) => tokio::select! {
                    listens = changed(&mut changes, to) => listens?,
                    moved = growth.changed() => if moved.is_err() {
                        // It was removed, and may be begun anew.
                        growth = self.outputs.changes(id);
                    },
                },
                Err(error) => {
                    tracing::error!(?id, %error, "cannot read an output");
                    return Some(());
                }
            }
        };
        while let Some(Ok(piece)) = stream.next().await {
            to.send(step(piece)).await.ok()?;
        }
        Some(())
    }

    /// Waits until a build has ended.
    async fn ended_build(&self, id: BuildId, to: &mpsc::Sender<Progress>) -> Told<Build> {
        let mut changes = self.ops.store().changes();
        loop {
            changes.mark_unchanged();
            match self.build(id).await {
                Ok(build) if build.status == BuildStatus::Pending => changed(&mut changes, to).await?,
                found => return Some(found),
            }
        }
    }

    /// Waits until a release's command has ended.
    async fn ended_release(&self, id: ReleaseId, to: &mpsc::Sender<Progress>) -> Told<Release> {
        let mut changes = self.ops.store().changes();
        loop {
            changes.mark_unchanged();
            match self.release(id).await {
                Ok(release) if release.status == ReleaseStatus::Pending => changed(&mut changes, to).await?,
                found => return Some(found),
            }
        }
    }

    /// Whether nothing more will happen; what cannot be read has ended, too.
    async fn ended(&self, id: OutputId) -> bool {
        match id {
            OutputId::Build(id) => !self.build(id).await.is_ok_and(|row| row.status == BuildStatus::Pending),
            OutputId::Release(id) => {
                !self.release(id).await.is_ok_and(|row| row.status == ReleaseStatus::Pending)
            }
            // No push follows a setup.
            OutputId::Setup(_) => true,
        }
    }

    async fn build(&self, id: BuildId) -> Result<Build> {
        let mut tx = self.ops.store().read().await.map_err(internal)?;
        store::builds::by_id(&mut tx, id).await.map_err(internal)?.ok_or(BackendError::NotFound)
    }

    async fn release(&self, id: ReleaseId) -> Result<Release> {
        let mut tx = self.ops.store().read().await.map_err(internal)?;
        store::releases::by_id(&mut tx, id).await.map_err(internal)?.ok_or(BackendError::NotFound)
    }
}

/// Waits until rows may have changed; `None` if nobody listens any more.
async fn changed(changes: &mut watch::Receiver<u64>, to: &mpsc::Sender<Progress>) -> Option<()> {
    tokio::select! {
        () = to.closed() => None,
        _ = changes.changed() => Some(()),
        () = tokio::time::sleep(LOOK_AGAIN) => Some(()),
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> BackendError {
    if ops::is_disk_full(&error) {
        return BackendError::Refused(ops::DISK_FULL.into());
    }
    BackendError::Internal(Box::new(error))
}

fn refused(error: ops::Error) -> BackendError {
    match error {
        ops::Error::Unauthorized(_) => BackendError::Unauthenticated,
        ops::Error::NotFound { .. } => BackendError::NotFound,
        error @ ops::Error::Internal(_) => internal(error),
        error => BackendError::Refused(error.to_string()),
    }
}
