//! Builds for tests run among the others, and release nothing.

use super::harness::World;
use super::kills::harass;
use super::set;
use crate::OutputId;
use domain::{App, BuildId, BuildStatus};

impl World {
    async fn test(&self, app: &App, exit: &str) -> BuildId {
        let create = ops::test_builds::Create {
            source_url: self.uploaded().await,
            version: Some("one".into()),
            branch: Some("topic".into()),
            env: [("EXIT".into(), exit.into())].into(),
            ..Default::default()
        };
        let made = ops::test_builds::create(&self.ops, &self.actor, app.name.as_str(), create).await;
        made.unwrap().build.id
    }

    /// The address of a source that was uploaded.
    async fn uploaded(&self) -> String {
        let source = ops::sources::create(&self.ops, &self.actor, None).await.unwrap();
        let digest = domain::Digest::from_bytes([1; 32]);
        ops::sources::uploaded(&self.ops, &source.upload_key, digest).await.unwrap();
        format!("http://localhost:5000/uploads/sources/{}", source.download_key)
    }

    async fn tested(&self, id: BuildId) -> (BuildStatus, Option<i32>) {
        self.build_ended(id).await;
        let build = self.build(id).await;
        assert_eq!(build.release, None);
        (build.status, build.test.unwrap().exit_code)
    }
}

#[tokio::test]
async fn they_end_with_the_status_of_the_tests() {
    let mut world = World::new().await;
    world.start();
    let app = world.create_app("blog").await;
    // What users work with is not for tests.
    ops::config_vars::update(&world.ops, &world.actor, "blog", set(&[("DATABASE_URL", Some("live"))]))
        .await
        .unwrap();
    let id = world.test(&app, "3").await;
    assert_eq!(world.tested(id).await, (BuildStatus::Failed, Some(3)));
    let given = world.builder.last.lock().unwrap().clone().unwrap().config_vars.0;
    assert_eq!(Vec::from_iter(given), [("EXIT".to_owned(), "3".to_owned())]);
    let output = world.output(OutputId::Build(id)).await;
    assert_eq!(output, "on topic\n-----> Building on the kigo-13 stack\n");
    let id = world.test(&app, "0").await;
    assert_eq!(world.tested(id).await, (BuildStatus::Succeeded, Some(0)));
    *world.builder.fail.lock().unwrap() = true;
    let id = world.test(&app, "0").await;
    assert_eq!(world.tested(id).await, (BuildStatus::Failed, None));
    assert!(world.rows(&app).await.is_empty());
}

#[tokio::test]
async fn they_wait_their_turn_and_are_cancelled() {
    let mut world = World::new().await;
    world.start();
    let app = world.create_app("blog").await;
    let gate = world.builder.gate.lock().await;
    let build = world.push(&app, "one").await;
    world.until("it runs", async || world.builder.begun.lock().unwrap().len() == 1).await;
    let id = world.test(&app, "0").await;
    drop(gate);
    world.build_ended(build).await;
    assert_eq!(world.tested(id).await, (BuildStatus::Succeeded, Some(0)));

    let gate = world.builder.gate.lock().await;
    let id = world.test(&app, "0").await;
    world.until("they run", async || world.builder.begun.lock().unwrap().len() == 3).await;
    ops::test_builds::cancel(&world.ops, &world.actor, "blog", &id.to_string()).await.unwrap();
    assert_eq!(world.tested(id).await, (BuildStatus::Failed, None));
    drop(gate);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_begun_again_after_a_kill() {
    let mut world = World::new().await;
    let app = world.create_app("blog").await;
    world.start();
    let gate = world.builder.gate.lock().await;
    let id = world.test(&app, "7").await;
    world.until("they run", async || world.builder.begun.lock().unwrap().len() == 1).await;
    drop(gate);
    world.kill().await;
    // Not for ever: what takes the server down is given up.
    harass(&mut world, "the tests end", async |world| world.build(id).await.status != BuildStatus::Pending)
        .await;
    world.start();
    let ended = world.tested(id).await;
    assert!(matches!(ended, (BuildStatus::Failed, Some(7) | None)), "{ended:?}");
}
