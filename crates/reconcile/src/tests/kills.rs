//! The loops are killed again and again, anywhere, and what must hold holds.

use super::harness::World;
use super::set;
use crate::OutputId;
use domain::{BuildStatus, ReleaseStatus};
use engine::fake::Call;
use std::collections::BTreeMap;
use std::time::Duration;

/// Kills and restarts the loops until `condition` holds; each life a little longer than the last.
pub(super) async fn harass(world: &mut World, what: &str, mut condition: impl AsyncFnMut(&World) -> bool) {
    for life in 0_u64..1500 {
        world.start();
        // Not a wait for anything: lives of different lengths end in different places.
        tokio::time::sleep(Duration::from_micros(300 + 137 * (life % 97) + 200 * life)).await;
        world.kill().await;
        if condition(world).await {
            return;
        }
    }
    panic!("never: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_with_a_release_command_survives_any_kill() {
    let mut world = World::new().await;
    world.types(&[("web", "node web.js"), ("worker", "node worker.js"), ("release", "rake migrate")]);
    let app = world.create_app("blog").await;
    ops::config_vars::update(&world.ops, &world.actor, "blog", set(&[("LINES", Some("200"))])).await.unwrap();
    let build = world.push(&app, "one").await;
    // Builds are begun again when they are cut off, but not for ever.
    world.start();
    world.build_ended(build).await;
    world.kill().await;
    assert_eq!(world.build(build).await.status, BuildStatus::Succeeded);
    let release = world.build(build).await.release.unwrap();
    harass(&mut world, "the release ends", async |world| {
        let mut tx = world.ops.store().read().await.unwrap();
        let release = store::releases::by_id(&mut tx, release).await.unwrap().unwrap();
        release.status != ReleaseStatus::Pending
    })
    .await;
    world.scale(&app, "web", 3).await;
    world.scale(&app, "worker", 2).await;
    harass(&mut world, "all are up", async |world| {
        let rows = world.rows(&app).await;
        rows.len() == 5 && rows.iter().all(|dyno| dyno.state == domain::DynoState::Up)
    })
    .await;
    world.start();
    let rows = world.up(&app, &["web.1", "web.2", "web.3", "worker.1", "worker.2"]).await;
    // Every start was needed: one for each dyno and one for the release command.
    assert_eq!(world.starts(), 6);
    let text = world.output(OutputId::Release(release)).await;
    let expected: Vec<_> = (1..=200).map(|line| format!("line {line}")).collect();
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), expected, "each line once and in order");
    let log = world.log(&app).await;
    for line in 1..=200 {
        let end = format!("]: line {line}");
        assert_eq!(log.iter().filter(|text| text.ends_with(&end)).count(), 1, "{end}");
    }
    assert_eq!(rows.iter().map(|dyno| dyno.crashes).sum::<u32>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redeploy_survives_any_kill_without_a_gap() {
    // Shorter than a life, or nobody would ever live to see a dyno drained.
    let mut world = World::with(|settings| settings.dynos.settle = Duration::from_millis(1)).await;
    world.start();
    let app = world.create_app("blog").await;
    world.deploy(&app, "one").await;
    world.scale(&app, "web", 2).await;
    let before = world.up(&app, &["web.1", "web.2"]).await;
    world.until("both serve", async || world.serving(&app).len() == 2).await;
    world.kill().await;
    ops::config_vars::update(&world.ops, &world.actor, "blog", set(&[("NEW", Some("1"))])).await.unwrap();
    harass(&mut world, "only new ones are left", async |world| {
        let rows = world.rows(&app).await;
        rows.len() == 2 && rows.iter().all(|dyno| before.iter().all(|old| old.id != dyno.id))
    })
    .await;
    world.start();
    world.up(&app, &["web.1", "web.2"]).await;
    assert_eq!(*world.routing.gaps.lock().unwrap(), 0);
    assert_eq!(world.starts(), 4);
    // Nobody was told to stop before a successor was up.
    let mut alive: BTreeMap<_, bool> = BTreeMap::new();
    for call in world.engine.calls() {
        match call {
            Call::Start(id) => _ = alive.insert(id, true),
            Call::Stop(id, _) => {
                alive.insert(id, false);
                assert!(alive.values().any(|alive| *alive));
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_is_cut_off_is_begun_again_but_not_for_ever() {
    let mut world = World::new().await;
    let app = world.create_app("blog").await;
    let build = world.push(&app, "one").await;
    for attempt in 1..=3 {
        let gate = world.builder.gate.lock().await;
        drop(gate);
        let builder = world.builder.clone();
        let gate = builder.gate.lock().await;
        world.start();
        world
            .until("the build has begun", async || world.builder.begun.lock().unwrap().len() == attempt)
            .await;
        world.kill().await;
        drop(gate);
    }
    world.start();
    world.build_ended(build).await;
    assert_eq!(world.build(build).await.status, BuildStatus::Failed);
    let output = world.output(OutputId::Build(build)).await;
    assert_eq!(output.matches("The server was restarted, building again").count(), 2, "{output}");
    assert!(output.contains("Giving up."), "{output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_app_is_cleared_away_over_kills() {
    let mut world = World::new().await;
    world.start();
    let app = world.create_app("blog").await;
    world.deploy(&app, "one").await;
    world.up(&app, &["web.1"]).await;
    world.kill().await;
    ops::apps::destroy(&world.ops, &world.actor, "blog").await.unwrap();
    harass(&mut world, "nothing is left", async |world| {
        let chores = store::chores::list(&mut world.ops.store().read().await.unwrap()).await.unwrap();
        chores.is_empty() && world.engine.specs().is_empty()
    })
    .await;
    assert!(!world.settings.data.join("logs").join(app.id.to_string()).exists());
}
