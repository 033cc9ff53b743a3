//! The loops together, as stories.

mod alerts;
mod continuity;
mod drains;
mod garbage;
mod harness;
mod kills;
mod notices;
#[expect(unreachable_pub, reason = "the end-to-end tests use it, too")]
#[path = "../../../e2e/src/other_side.rs"]
mod other_side;
mod partners;
mod scheduler;
mod services;
mod setups;
mod storage;
mod test_builds;
mod webhooks;

use crate::OutputId;
use domain::route::Backends;
use domain::{BuildStatus, DynoState, ReleaseStatus};
use engine::fake::Call;
use harness::World;
use ops::dynos::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn set(vars: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    vars.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
}

#[tokio::test]
async fn a_first_deploy() {
    let mut world = World::new().await;
    world.start();
    let app = world.create_app("blog").await;
    world
        .until("the app is known to the router", async || world.backends(&app) == Some(Backends::Blank))
        .await;
    let build = world.push(&app, "954ab531").await;
    world.build_ended(build).await;
    let rows = world.up(&app, &["web.1"]).await;
    world.until("the dyno is routed", async || world.serving(&app) == [rows[0].id]).await;
    world.until("all loops took a turn", async || world.ready()).await;
    assert_eq!(
        world.output(OutputId::Build(build)).await,
        "-----> Building on the kigo-13 stack\n-----> Launching...\n       Released v3\n       http://blog.localhost:8080/ deployed to Kigo\n"
    );
    let port = rows[0].port.unwrap();
    let start = format!("heroku[web.1]: Starting process with command `node web.js -p {port}`");
    let log = world.log(&app).await;
    let dyno: Vec<_> = log.iter().filter(|line| line.contains("[web.1]")).map(String::as_str).collect();
    world
        .until("the log has it all", async || {
            world.log(&app).await.iter().any(|line| line.ends_with("from web.1"))
        })
        .await;
    assert_eq!(dyno[0], start, "{log:#?}");
    assert!(dyno.contains(&"heroku[web.1]: State changed from starting to up"), "{log:#?}");
    assert!(log.contains(&"app[api]: Build succeeded".to_owned()), "{log:#?}");
    let spec = world.engine.spec(rows[0].id.0).unwrap();
    let env = |name: &str| spec.env.get(name).map(String::as_str).unwrap_or_default().to_owned();
    assert_eq!((env("DYNO"), env("HOME"), env("PORT")), ("web.1".into(), "/app".into(), port.to_string()));
    assert_eq!((spec.user, spec.limits.memory, spec.limits.memory_max), (1000, 512 << 20, 1 << 30));
}

#[tokio::test]
async fn a_second_deploy_leaves_no_gap() {
    let mut world = World::new().await;
    world.start();
    let app = world.create_app("blog").await;
    world.deploy(&app, "one").await;
    let old = world.up(&app, &["web.1"]).await[0].id;
    world.until("the old serves", async || world.serving(&app) == [old]).await;
    // A request is open on the old dyno.
    world.routing.in_flight.lock().unwrap().insert(old, 1);
    world.deploy(&app, "two").await;
    world
        .until("the new serves", async || !world.serving(&app).is_empty() && world.serving(&app) != [old])
        .await;
    let stopped = |world: &World| {
        world.engine.calls().iter().any(|call| matches!(call, Call::Stop(id, _) if *id == old.0))
    };
    assert!(!stopped(&world), "the old answers its last request");
    world.routing.in_flight.lock().unwrap().clear();
    let new = world.up(&app, &["web.1"]).await[0].id;
    assert_ne!(new, old);
    assert!(stopped(&world));
    assert_eq!(*world.routing.gaps.lock().unwrap(), 0);
    let log = world.log(&app).await;
    let position =
        |text: &str| log.iter().position(|line| line == text).unwrap_or_else(|| panic!("{text}: {log:#?}"));
    let order = [
        "heroku[web.1]: Restarting",
        "heroku[web.1]: State changed from up to starting",
        "heroku[web.1]: Stopping all processes with SIGTERM",
        "heroku[web.1]: Process exited with status 143",
    ]
    .map(position);
    assert!(order.is_sorted(), "{log:#?}");
}

#[tokio::test]
async fn a_release_that_does_not_come_up_takes_nothing_away() {
    let mut world = World::with(|settings| settings.dynos.boot_timeout = Duration::from_millis(100)).await;
    world.start();
    let app = world.create_app("blog").await;
    world.deploy(&app, "one").await;
    let old = world.up(&app, &["web.1"]).await[0].id;
    world.until("the old serves", async || world.serving(&app) == [old]).await;
    ops::config_vars::update(&world.ops, &world.actor, "blog", set(&[("BROKEN", Some("1"))])).await.unwrap();
    world
        .until("the new one waits for its third start", async || {
            world.rows(&app).await.iter().any(|dyno| dyno.state == DynoState::Crashed && dyno.crashes == 2)
        })
        .await;
    assert_eq!(world.serving(&app), [old]);
    let log = world.log(&app).await;
    let r10 = "heroku[web.1]: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 0 seconds of launch";
    for line in [
        r10,
        "heroku[web.1]: Stopping process with SIGKILL",
        "heroku[web.1]: State changed from starting to crashed",
    ] {
        assert_eq!(log.iter().filter(|text| *text == line).count(), 2, "{line}: {log:#?}");
    }
    // The way back is a release that works.
    ops::config_vars::update(&world.ops, &world.actor, "blog", set(&[("BROKEN", None)])).await.unwrap();
    let rows = world.up(&app, &["web.1"]).await;
    assert_ne!(rows[0].id, old);
    assert_eq!(*world.routing.gaps.lock().unwrap(), 0);
}

#[tokio::test]
async fn release_commands() {
    let mut world = World::new().await;
    world.types(&[("web", "node web.js"), ("release", "rake migrate")]);
    world.start();
    let app = world.create_app("blog").await;
    let set_vars = async |vars: &[(&str, Option<&str>)]| {
        ops::config_vars::update(&world.ops, &world.actor, "blog", set(vars)).await.unwrap();
    };
    set_vars(&[("LINES", Some("3"))]).await;
    let first = world.deploy(&app, "one").await;
    assert_eq!(first.status, ReleaseStatus::Succeeded);
    let web = world.up(&app, &["web.1"]).await[0].id;
    let output = world.output(OutputId::Release(first.id)).await;
    let name = output.lines().next().unwrap().strip_prefix("hello from ").unwrap().to_owned();
    assert_eq!(output, format!("hello from {name}\nline 1\nline 2\nline 3\n"));
    let log = world.log(&app).await;
    let own: Vec<_> =
        log.iter().filter(|line| line.starts_with(&format!("heroku[{name}]"))).cloned().collect();
    assert_eq!(
        own,
        [
            "Starting process with command `rake migrate`",
            "State changed from starting to up",
            "Process exited with status 0",
            "State changed from up to complete"
        ]
        .map(|text| format!("heroku[{name}]: {text}"))
    );
    // One that fails changes nothing.
    set_vars(&[("EXIT", Some("1"))]).await;
    world
        .until("the release has failed", async || {
            let releases = ops::releases::list(&world.ops, &world.actor, "blog").await.unwrap();
            releases.last().unwrap().release.status == ReleaseStatus::Failed
        })
        .await;
    let rows = world.up(&app, &["web.1"]).await;
    assert_eq!((rows[0].id, rows[0].release), (web, first.id));
    let last = ops::releases::list(&world.ops, &world.actor, "blog").await.unwrap().pop().unwrap().release;
    assert!(world.output(OutputId::Release(last.id)).await.ends_with("line 3\n"));
}

#[tokio::test]
async fn scaling_restarting_and_crashing() {
    let mut world = World::new().await;
    world.types(&[("web", "node web.js"), ("worker", "node worker.js")]);
    world.start();
    let app = world.create_app("blog").await;
    world.deploy(&app, "one").await;
    world.scale(&app, "worker", 2).await;
    world.scale(&app, "web", 2).await;
    let before = world.up(&app, &["web.1", "web.2", "worker.1", "worker.2"]).await;
    world.until("both serve", async || world.serving(&app).len() == 2).await;
    ops::dynos::restart(&world.ops, &world.actor, "blog", Target::One("worker.1")).await.unwrap();
    world
        .until("it was replaced", async || world.rows(&app).await.iter().all(|dyno| dyno.id != before[2].id))
        .await;
    let after = world.up(&app, &["web.1", "web.2", "worker.1", "worker.2"]).await;
    assert_eq!([after[0].id, after[1].id, after[3].id], [before[0].id, before[1].id, before[3].id]);
    // A crash is started again at once.
    assert!(world.engine.exit(after[3].id.0, 3));
    world
        .until("it was replaced", async || world.rows(&app).await.iter().all(|dyno| dyno.id != after[3].id))
        .await;
    let after = world.up(&app, &["web.1", "web.2", "worker.1", "worker.2"]).await;
    assert_eq!(after[3].crashes, 1);
    let log = world.log(&app).await;
    for line in [
        "Process exited with status 3",
        "State changed from up to crashed",
        "State changed from crashed to starting",
    ] {
        assert!(log.contains(&format!("heroku[worker.2]: {line}")), "{line}: {log:#?}");
    }
    world.scale(&app, "worker", 0).await;
    world.scale(&app, "web", 1).await;
    let rows = world.up(&app, &["web.1"]).await;
    assert_eq!(rows[0].id, before[0].id);
    let log = world.log(&app).await;
    assert!(log.contains(&"heroku[web.2]: State changed from up to down".to_owned()), "{log:#?}");
    assert_eq!(*world.routing.gaps.lock().unwrap(), 0);
}

#[tokio::test]
async fn one_offs() {
    let mut world = World::with(|settings| settings.dynos.attach_timeout = Duration::from_millis(50)).await;
    world.start();
    let app = world.create_app("blog").await;
    world.deploy(&app, "one").await;
    world.up(&app, &["web.1"]).await;
    let create = |attach| ops::dynos::Create {
        command: "echo $PORT".into(),
        attach,
        env: [("EXIT".to_owned(), "7".to_owned())].into(),
        ..ops::dynos::Create::default()
    };
    let detached = ops::dynos::create(&world.ops, &world.actor, "blog", create(false)).await.unwrap().dyno;
    world.up(&app, &["web.1"]).await;
    let lines = async |name: &str| -> Vec<String> {
        let log = world.log(&app).await;
        log.into_iter().filter(|line| line.contains(&format!("[{name}]"))).collect()
    };
    let name = detached.name.to_string();
    let log = lines(&name).await;
    for line in [
        "heroku[N]: Starting process with command `echo $PORT`",
        "app[N]: hello from N",
        "heroku[N]: Process exited with status 7",
    ] {
        assert!(log.contains(&line.replace('N', &name)), "{line}: {log:#?}");
    }
    // Nobody comes to this one.
    let attached = ops::dynos::create(&world.ops, &world.actor, "blog", create(true)).await.unwrap().dyno;
    world.up(&app, &["web.1"]).await;
    let name = attached.name.to_string();
    let log = lines(&name).await;
    for line in
        ["heroku[N]: Awaiting client", "heroku[N]: Error R13 (Attach error) -> Failed to attach to process"]
    {
        assert!(log.contains(&line.replace('N', &name)), "{line}: {log:#?}");
    }
}

#[tokio::test]
async fn builds_queue_fail_and_are_cancelled() {
    let mut world = World::new().await;
    world.start();
    let (blog, shop) = (world.create_app("blog").await, world.create_app("shop").await);
    let gate = world.builder.gate.lock().await;
    let first = world.push(&blog, "one").await;
    let second = world.push(&blog, "two").await;
    let other = world.push(&shop, "one").await;
    world.until("two run", async || world.builder.begun.lock().unwrap().len() == 2).await;
    let begun: BTreeSet<_> = world.builder.begun.lock().unwrap().iter().copied().collect();
    // Which of two that run side by side begins first is nobody's promise.
    assert_eq!(begun, BTreeSet::from([first, other]), "one of an app at a time");
    ops::builds::cancel(&world.ops, &world.actor, "shop", &other.to_string()).await.unwrap();
    world.build_ended(other).await;
    assert_eq!(world.build(other).await.status, BuildStatus::Failed);
    drop(gate);
    world.build_ended(first).await;
    world.build_ended(second).await;
    let [first, second] = [world.build(first).await, world.build(second).await];
    assert_eq!([first.status, second.status], [BuildStatus::Succeeded; 2]);
    world
        .until("the second runs", async || {
            world.rows(&blog).await.iter().all(|dyno| Some(dyno.release) == second.release)
        })
        .await;
    let before = world.up(&blog, &["web.1"]).await[0].id;
    *world.builder.fail.lock().unwrap() = true;
    let bad = world.push(&blog, "three").await;
    world.build_ended(bad).await;
    assert_eq!(world.build(bad).await.status, BuildStatus::Failed);
    assert_eq!(world.up(&blog, &["web.1"]).await[0].id, before);
    assert!(!world.output(OutputId::Build(bad)).await.contains("Launching"));
}

#[tokio::test]
async fn a_destroyed_app_leaves_nothing() {
    let mut world = World::new().await;
    world.start();
    let app = world.create_app("blog").await;
    world.deploy(&app, "one").await;
    world.up(&app, &["web.1"]).await;
    let data = world.settings.data.clone();
    let repository = data.join(format!("git/{}.git", app.id));
    std::fs::create_dir_all(&repository).unwrap();
    ops::apps::destroy(&world.ops, &world.actor, "blog").await.unwrap();
    world
        .until("its files are gone", async || {
            let chores = store::chores::list(&mut world.ops.store().read().await.unwrap()).await.unwrap();
            chores.is_empty() && world.engine.specs().is_empty()
        })
        .await;
    assert!(!repository.exists());
    assert!(!data.join("logs").join(app.id.to_string()).exists());
    assert_eq!(*world.builder.purged.lock().unwrap(), [app.id]);
    assert_eq!(world.backends(&app), None);
}

#[tokio::test]
async fn old_builds_and_what_old_commands_printed_are_given_up() {
    let mut world = World::with(|settings| (settings.kept_builds, settings.kept_releases) = (1, 2)).await;
    world.types(&[("web", "node web.js"), ("release", "rake migrate")]);
    world.start();
    let app = world.create_app("blog").await;
    let mut made = Vec::new();
    for commit in ["one", "two", "three"] {
        made.push(world.deploy(&app, commit).await.id);
        world.up(&app, &["web.1"]).await;
    }
    // What takes long is done first thing after a start.
    world.kill().await;
    world.start();
    let builds = async || {
        let list = ops::builds::list(&world.ops, &world.actor, "blog").await.unwrap();
        list.iter().map(|info| info.build.release).collect::<Vec<_>>()
    };
    world.until("only the newest build is known", async || builds().await == [Some(made[2])]).await;
    world
        .until("the oldest command's output is gone", async || {
            !world.outputs.exists(OutputId::Release(made[0])).await
        })
        .await;
    for release in &made[1..] {
        assert!(world.output(OutputId::Release(*release)).await.starts_with("hello from release."));
    }
}

#[tokio::test]
async fn an_image_that_is_gone_is_a_crash_with_words() {
    let mut world = World::new().await;
    world.engine.images([]);
    world.start();
    let app = world.create_app("blog").await;
    world.deploy(&app, "one").await;
    world
        .until("it has crashed twice", async || world.rows(&app).await.iter().any(|dyno| dyno.crashes == 2))
        .await;
    let log = world.log(&app).await;
    let words = "heroku[web.1]: Error R99 (Platform error) -> Failed to launch the dyno: its image is not there any more";
    assert!(log.contains(&words.to_owned()), "{log:#?}");
    world.until("requests are told", async || world.backends(&app) == Some(Backends::Crashed)).await;
}

#[tokio::test]
async fn memory_above_the_quota_is_told() {
    let mut world = World::new().await;
    world.start();
    let app = world.create_app("blog").await;
    world.deploy(&app, "one").await;
    let dyno = world.up(&app, &["web.1"]).await[0].id;
    let usage = engine::Usage { memory_rss: 600 << 20, ..engine::Usage::default() };
    world.engine.use_resources(dyno.0, usage);
    // The next look is due in 20 seconds; a restart looks at once.
    world.kill().await;
    world.start();
    world
        .until("it is told", async || {
            let log = world.log(&app).await;
            log.contains(&"heroku[web.1]: Error R14 (Memory quota exceeded)".to_owned())
                && log.contains(&"heroku[web.1]: Process running mem=600M(117.2%)".to_owned())
        })
        .await;
}

#[tokio::test]
async fn a_build_is_told_what_its_app_was_given() {
    let mut world = World::new().await;
    world.start();
    let app = world.create_app("blog").await;
    ops::buildpacks::update(&world.ops, &world.actor, "blog", &["heroku/nodejs".into()]).await.unwrap();
    let asked = async |world: &World| {
        let build = world.push(&app, "954ab531").await;
        world.build_ended(build).await;
        let last = world.builder.last.lock().unwrap().clone().unwrap();
        (last.buildpacks[0].0.clone(), last.metadata, world.output(OutputId::Build(build)).await)
    };
    let (buildpack, metadata, output) = asked(&world).await;
    assert_eq!((buildpack.as_str(), metadata.len()), ("heroku/nodejs", 0));
    assert!(!output.contains("BUILDPACK_URL"), "{output}");

    let feature = ops::features::BUILD_METADATA;
    ops::features::update(&world.ops, &world.actor, "blog", feature, true).await.unwrap();
    let url = "https://git.example.com/a/b";
    ops::config_vars::update(&world.ops, &world.actor, "blog", set(&[("BUILDPACK_URL", Some(url))]))
        .await
        .unwrap();
    let (buildpack, metadata, output) = asked(&world).await;
    assert_eq!((buildpack.as_str(), metadata["HEROKU_BUILD_COMMIT"].as_str()), (url, "954ab531"));
    assert!(output.starts_with(" !     The config var BUILDPACK_URL takes the place"), "{output}");
}
