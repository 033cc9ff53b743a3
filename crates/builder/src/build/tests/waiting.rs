//! Builds that wait for what others have.

use super::*;
use async_trait::async_trait;
use domain::{Reference, RepositoryName};

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
