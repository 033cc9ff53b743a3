//! Builds that wait for what others have.

use super::*;
use crate::cache::Shared;
use crate::errand::{self, Errand};
use crate::packages::{self, Packages};
use async_trait::async_trait;
use domain::{Reference, RepositoryName};

impl World {
    /// A build that has come as far as its buildpacks.
    pub(super) fn context<'a>(&'a self, request: &'a BuildRequest, output: &'a Output) -> Context<'a> {
        let builder = &self.builder;
        let work = Work::create(&builder.data, request.build).unwrap();
        let stack = stack::find(&builder.images, &builder.data, "kigo-13").unwrap().unwrap();
        let deadline = Deadline(Instant::now() + Duration::from_mins(15));
        let mut context = Context::new(builder, request, work, stack, deadline, output, BTreeMap::new());
        context.alone = true;
        context
    }
}

/// Output that nobody reads.
pub(super) fn silent() -> Output {
    Output::new(tokio::sync::mpsc::channel(1).0)
}

/// A registry with one image, under every name.
#[derive(Debug)]
struct One(Digest);

#[async_trait]
impl crate::Bases for One {
    fn hosts(&self) -> Vec<String> {
        vec!["localhost:5000".into()]
    }

    async fn find(&self, _: &RepositoryName, _: &Reference) -> Result<Option<Digest>, BuildError> {
        Ok(Some(self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn a_base_image_waits_for_its_turn_and_is_kept_meanwhile() {
    let world = World::new();
    let images = &world.builder.images;
    let base = images.put_blob(&b"{}"[..], 2, None).unwrap().digest;
    // All that there are. Time passes by itself once everybody waits.
    let mut turns = Vec::new();
    while let Ok(turn) = tokio::time::timeout(Duration::from_secs(1), images.turn()).await {
        turns.push(turn);
    }
    let files = [("Dockerfile", "FROM localhost:5000/base")];
    let request =
        BuildRequest { stack: "container".into(), bases: Arc::new(One(base)), ..world.request(&files, &[]) };
    let (sender, mut lines) = tokio::sync::mpsc::channel(1000);
    let builder = world.builder.clone();
    let building = tokio::spawn(async move { build(&builder, request, Output::new(sender)).await });
    while lines.recv().await.unwrap() != "       Waiting for other images to be unpacked" {}
    images.collect(&image::Roots::default(), Duration::ZERO).unwrap();
    assert!(images.has_blob(&base));
    drop(turns);
    let mut text = String::new();
    while let Some(line) = lines.recv().await {
        text.push_str(&line);
    }
    assert!(text.contains("cannot be used: it is no image"), "{text}");
    assert!(building.await.unwrap().unwrap_err().is_users());
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_build() {
    let world = World::new();
    let images = world.builder.images.clone();
    let base = images.put_blob(&b"{}"[..], 2, None).unwrap().digest;
    let mut turns = Vec::new();
    while let Ok(turn) = tokio::time::timeout(Duration::from_secs(1), images.turn()).await {
        turns.push(turn);
    }
    let files = [("Dockerfile", "FROM localhost:5000/base")];
    let request = || BuildRequest {
        stack: "container".into(),
        bases: Arc::new(One(base)),
        ..world.request(&files, &[])
    };
    // Nobody gives a turn back, so the time of the build runs out.
    let (error, _) = world.fail(request()).await;
    assert!(matches!(error, BuildError::TimedOut(_)), "{error:?}");
    let cancelled = request();
    cancelled.cancel.cancel();
    let (error, _) = world.fail(cancelled).await;
    assert!(matches!(error, BuildError::Cancelled), "{error:?}");
}

/// What builds share is made by an errand; its container fails here.
async fn errand(context: &mut Context<'_>, name: &str) -> Result<i32, BuildError> {
    let errand = Errand {
        script: ("errand.sh", ""),
        env: BTreeMap::new(),
        packages: Packages::new(),
        layers: Vec::new(),
        pipes: Vec::new(),
    };
    let made = errand::once(context, &Shared::named(name.into()), "Making it...", errand).await?;
    Ok(made.err().unwrap().status)
}

#[tokio::test(start_paused = true)]
async fn who_wants_something_else_does_not_wait() {
    let world = World::new();
    world.engine.script(|_| vec![Step::Exit(3)]);
    let (sender, mut lines) = tokio::sync::mpsc::channel(1000);
    let output = Output::new(sender);
    let request = world.request(&[("a", "")], &[]);
    let (other, other_output) = (world.request(&[("a", "")], &[]), silent());
    let mut context = world.context(&request, &output);
    let making = world.builder.makers.make(&world.context(&other, &other_output), "go-1").await.unwrap();
    assert_eq!(errand(&mut context, "go-2").await.unwrap(), 3);
    assert_eq!(lines.recv().await.unwrap(), "       Making it...");
    // The same is waited for.
    let waiting = errand(&mut context, "go-1");
    let mut waiting = std::pin::pin!(waiting);
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut waiting).await.is_err());
    assert_eq!(lines.recv().await.unwrap(), "       Waiting for another build, which installs the same");
    drop(making);
    assert_eq!(waiting.await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_packages_can_be_cancelled() {
    let world = World::new();
    let _alone = world.builder.apt.lock().await;
    let (request, output) = (world.request(&[("a", "")], &[]), silent());
    let context = world.context(&request, &output);
    let set = Packages::from(["a".to_owned()]);
    let layer = || packages::layer(&context, context.stack.run, &set);
    assert!(tokio::time::timeout(Duration::from_secs(1), layer()).await.is_err());
    request.cancel.cancel();
    assert!(matches!(layer().await, Err(BuildError::Cancelled)));
}
