//! Builds for tests, which release nothing.

use super::*;
use crate::builds::{self, Outcome, finish};
use crate::test_builds::{self, Create};
use domain::BuildStatus;

impl World {
    async fn test(&self, app: &str) -> domain::Build {
        let input = Create {
            source_url: "https://example.com/x.tgz".into(),
            branch: Some("topic".into()),
            env: [("COLOUR".into(), "blue".into())].into(),
            ..Create::default()
        };
        test_builds::create(&self.ops, &self.admin, app, input).await.unwrap().build
    }

    async fn tested(&self, build: &domain::Build, outcome: Outcome) -> (BuildStatus, Option<i32>) {
        let ended = finish(&self.ops, build.id, outcome).await.unwrap().unwrap();
        assert_eq!((ended.release, ended.build.slug), (None, None));
        let test = ended.build.test.unwrap();
        assert!(test.env.0.is_empty(), "it is needed no more");
        (ended.build.status, test.exit_code)
    }
}

#[tokio::test]
async fn tests_end_with_their_status_and_release_nothing() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let before = world.ledger(&app).await;
    for (outcome, expected) in [
        (Outcome::Tested(0), (BuildStatus::Succeeded, Some(0))),
        (Outcome::Tested(3), (BuildStatus::Failed, Some(3))),
        (Outcome::Failed, (BuildStatus::Failed, None)),
    ] {
        let build = world.test(&app).await;
        assert_eq!(build.test.as_ref().unwrap().env.0["COLOUR"], "blue");
        assert_eq!(world.tested(&build, outcome).await, expected);
    }
    assert_eq!(world.ledger(&app).await, before);
    let said = world.said();
    assert_eq!(said[..2], ["Tests started by user admin@example.com", "Tests succeeded"]);
    assert!(said[3].starts_with("Tests failed -- check your build output: http://localhost:5000/apps/"));
    assert!(said[3].contains("/test-builds/"), "{said:?}");
}

#[tokio::test]
async fn builds_and_tests_do_not_see_each_other() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let test = world.test(&app).await;
    let of_a_release =
        builds::Create { source_url: "https://example.com/x.tgz".into(), ..Default::default() };
    let build = builds::create(&world.ops, &world.admin, &app, of_a_release).await.unwrap().build;
    let ids = |list: Vec<builds::BuildInfo>| list.iter().map(|info| info.build.id).collect::<Vec<_>>();
    assert_eq!(ids(builds::list(&world.ops, &world.admin, &app).await.unwrap()), [build.id]);
    assert_eq!(ids(test_builds::list(&world.ops, &world.admin, &app).await.unwrap()), [test.id]);
    let (test, build) = (test.id.to_string(), build.id.to_string());
    assert!(refusal(builds::info(&world.ops, &world.admin, &app, &test).await).contains("find that build"));
    let other = test_builds::info(&world.ops, &world.admin, &app, &build).await;
    assert!(refusal(other).contains("find that test build"));
    assert!(builds::cancel(&world.ops, &world.admin, &app, &test).await.is_err());
}

#[tokio::test]
async fn tests_that_are_cancelled_have_no_status() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let waiting = world.test(&app).await;
    let id = waiting.id.to_string();
    let cancelled = test_builds::cancel(&world.ops, &world.admin, &app, &id).await.unwrap().build;
    assert_eq!((cancelled.status, cancelled.cancel_requested), (BuildStatus::Failed, true));
    let running = world.test(&app).await;
    builds::lease(&world.ops, running.id, "one", SignedDuration::from_mins(1)).await.unwrap();
    test_builds::cancel(&world.ops, &world.admin, &app, &running.id.to_string()).await.unwrap();
    assert_eq!(world.tested(&running, Outcome::Tested(0)).await, (BuildStatus::Failed, None));
    assert!(test_builds::cancel(&world.ops, &world.admin, &app, &id).await.is_err(), "it has ended");
}

#[tokio::test]
async fn old_ones_are_forgotten_and_wrong_ones_refused() {
    let world = World::new().await;
    let app = world.app("shop").await;
    for _ in 0..3 {
        let build = world.test(&app).await;
        world.tested(&build, Outcome::Tested(0)).await;
        world.pass(1);
    }
    let row = world.row(&app).await;
    assert_eq!(builds::forget_old(&world.ops, row.id, 1).await.unwrap().len(), 2);
    for (input, words) in [
        (Create { branch: Some("a\u{7}".into()), ..Create::default() }, "Branch"),
        (Create { env: [("A B".into(), String::new())].into(), ..Create::default() }, "A B"),
        (Create { source_url: "ftp://x".into(), ..Create::default() }, "source_blob.url"),
    ] {
        let refused = refusal(test_builds::create(&world.ops, &world.admin, &app, input).await);
        assert!(refused.contains(words), "{refused}");
    }
}
