//! Services that have their data from others, and whose past is kept, as stories.

use super::harness::World;
use super::kills::harass;
use addons::Catalog;
use domain::{AddonId, AddonState, App, Archive};
use engine::ContainerSpec;
use engine::fake::Step;
use ops::addons::AddonInfo;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const CATALOG: &str = r#"
name = "db"
title = "Database"
summary = "Keeps."
default_plan = "own"
[attachment]
first = "DATABASE"
[config]
URL = "db://{password}@{host}:{port}"
[values]
password = { random = 8, rotated = true }
[run]
packages = ["db"]
port = 1234
start = "exec db"
values = { admin = { random = 8 } }
[hooks]
provision = "make"
archive = "copy"
fork = "fork"
follow = "follow"
unfollow = "part"
[[plans]]
name = "own"
title = "Own"
memory = 64
disk = 64
connections = 5
rollback = 4
archive = 64
[[plans]]
name = "large"
title = "Large"
memory = 128
disk = 64
connections = 9
rollback = 4
archive = 64
"#;

/// What containers do; `fork` is what the hook does that makes one.
fn behave(spec: &ContainerSpec, fork: &[Step]) -> Vec<Step> {
    match (spec.labels.get("kind").map(String::as_str), script(spec)) {
        (Some("service"), _) => vec![Step::Listen],
        (_, "fork" | "follow") => fork.to_vec(),
        (_, "copy") => {
            let lines = ["taken=1800000000", "earliest=1700000000", "bytes=7"];
            lines.map(|line| Step::Print(line.into())).into_iter().chain([Step::Exit(0)]).collect()
        }
        _ => vec![Step::Exit(0)],
    }
}

fn script(spec: &ContainerSpec) -> &str {
    spec.command.last().map_or("", String::as_str)
}

impl World {
    async fn with_pasts(fork: Vec<Step>) -> Self {
        let mut catalog = Catalog::default();
        catalog.add("test", CATALOG).unwrap();
        let settings = ops::Settings { catalog: Arc::new(catalog), ..ops::Settings::default() };
        let world =
            Self::with_ops(|settings| settings.addons.rest = Duration::from_millis(1), settings).await;
        world.engine.script(move |spec| behave(spec, &fork));
        world
    }

    async fn from(&self, app: &App, option: &str, name: &str) -> AddonInfo {
        let input = ops::addons::Create {
            plan: "db:own".into(),
            name: Some(name.into()),
            options: [(option.to_owned(), "db-main".to_owned())].into(),
            ..Default::default()
        };
        ops::addons::create(&self.ops, &self.actor, app.name.as_str(), input).await.unwrap()
    }

    async fn archive(&self, id: AddonId) -> Option<Archive> {
        store::archives::of_addon(&mut self.ops.store().read().await.unwrap(), id).await.unwrap()
    }

    fn archive_of(&self, addon: &AddonInfo) -> PathBuf {
        self.settings.data.join("archives").join(addon.addon.instance.unwrap().to_string())
    }

    fn service(&self, addon: &AddonInfo) -> Option<ContainerSpec> {
        self.engine.spec(addon.addon.instance.unwrap().0)
    }
}

/// The way to a service.
fn way(world: &World, addon: &AddonInfo) -> SocketAddrV4 {
    SocketAddrV4::new(world.service(addon).unwrap().address.unwrap(), 1234)
}

#[tokio::test]
async fn a_fork_is_filled_before_it_is_started() {
    let mut world = World::with_pasts(vec![]).await;
    world.start();
    let app = world.create_app("shop").await;
    let main = world.order(&app, "db:own", "db-main").await;
    world.there(&main).await;
    let fork = world.from(&app, "fork", "db-fork").await;
    let filler = async || world.engine.specs().into_iter().find(|spec| script(spec) == "fork");
    world.until("it is being filled", async || filler().await.is_some()).await;
    let spec = filler().await.unwrap();
    let main_spec = world.service(&main).unwrap();
    assert_eq!(spec.reach, [way(&world, &main)]);
    assert_eq!(spec.env["KIGO_ORIGIN_ADMIN"], main_spec.env["KIGO_ADMIN"]);
    assert_ne!(spec.env["KIGO_ADMIN"], main_spec.env["KIGO_ADMIN"]);
    let read = |spec: &ContainerSpec| {
        spec.mounts.iter().map(|one| (one.source.clone(), one.read_only)).collect::<Vec<_>>()
    };
    assert_eq!(read(&spec), [(world.archive_of(&main), true)]);
    assert!(world.service(&fork).is_none());
    world.engine.exit(spec.id, 0);
    world.there(&fork).await;
    let spec = world.service(&fork).unwrap();
    assert_eq!((spec.reach.len(), read(&spec)), (0, vec![(world.archive_of(&fork), false)]));
}

#[tokio::test]
async fn a_fork_that_cannot_be_made_leaves_nothing() {
    let mut world = World::with_pasts(vec![Step::Print("no copy is left".into()), Step::Exit(1)]).await;
    world.start();
    let app = world.create_app("shop").await;
    let main = world.order(&app, "db:own", "db-main").await;
    world.there(&main).await;
    let fork = world.from(&app, "fork", "db-fork").await;
    let row = async || {
        store::addons::by_id(&mut world.ops.store().read().await.unwrap(), fork.addon.id)
            .await
            .unwrap()
            .unwrap()
    };
    world.until("it is given up", async || row().await.state == AddonState::Failed).await;
    assert!(row().await.failure.unwrap().contains("no copy is left"));
    // The row of the add-on tells for a while why.
    world.until("nothing is left of it", async || world.left().await == (2, 1, 1)).await;
    assert!(!world.archive_of(&fork).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forks_and_followers_survive_any_kill() {
    let filling = vec![Step::Sleep(Duration::from_millis(3)), Step::Exit(0)];
    let mut world = World::with_pasts(filling).await;
    world.start();
    let app = world.create_app("shop").await;
    let main = world.order(&app, "db:own", "db-main").await;
    world.there(&main).await;
    world.kill().await;
    let (fork, twin) =
        (world.from(&app, "fork", "db-fork").await, world.from(&app, "follow", "db-twin").await);
    harass(&mut world, "both are there", async |world| {
        let list = ops::addons::list_of_app(&world.ops, &world.actor, "shop").await.unwrap();
        list.iter().all(|one| one.addon.state == AddonState::Provisioned)
    })
    .await;
    ops::addons::unfollow(&world.ops, &world.actor, "db-twin").await.unwrap();
    harass(&mut world, "it stands alone", async |world| {
        let mut tx = world.ops.store().read().await.unwrap();
        store::origins::of_addon(&mut tx, twin.addon.id).await.unwrap().is_none()
    })
    .await;
    for addon in [&main, &fork, &twin] {
        ops::addons::destroy(&world.ops, &world.actor, "shop", &addon.addon.name, false).await.unwrap();
    }
    harass(&mut world, "no row is left", async |world| {
        let (addons, instances, _) = world.left().await;
        (addons, instances) == (0, 0)
    })
    .await;
    world.start();
    world.until("no container is left", async || world.left().await == (0, 0, 0)).await;
    let archives = std::fs::read_dir(world.settings.data.join("archives")).unwrap().count();
    assert_eq!(archives, 0);
}

#[tokio::test]
async fn a_follower_is_let_through_as_long_as_it_follows() {
    let mut world = World::with_pasts(vec![Step::Exit(0)]).await;
    world.start();
    let app = world.create_app("shop").await;
    let main = world.order(&app, "db:own", "db-main").await;
    world.there(&main).await;
    let twin = world.from(&app, "follow", "db-twin").await;
    world.there(&twin).await;
    let spec = world.service(&twin).unwrap();
    assert_eq!((spec.reach.clone(), spec.env["KIGO_FOLLOWS"].as_str()), (vec![way(&world, &main)], "true"));
    assert_eq!(spec.env["KIGO_ADMIN"], world.service(&main).unwrap().env["KIGO_ADMIN"]);
    // It is to allow as many connections as its leader.
    let update = ops::addons::Update { name: None, plan: Some("db:large".into()) };
    ops::addons::update(&world.ops, &world.actor, "shop", "db-main", update).await.unwrap();
    world
        .until("it is started anew", async || {
            world.service(&twin).is_some_and(|spec| spec.env["KIGO_ORIGIN_CONNECTIONS"] == "9")
        })
        .await;
    ops::addons::unfollow(&world.ops, &world.actor, "db-twin").await.unwrap();
    world
        .until("it has no way to its leader any more", async || {
            world
                .service(&twin)
                .is_some_and(|spec| spec.reach.is_empty() && !spec.env.contains_key("KIGO_ORIGIN_HOST"))
        })
        .await;
}

#[tokio::test]
async fn a_past_is_kept_and_what_is_wrong_with_it_is_told() {
    let mut world = World::with_pasts(vec![Step::Exit(0)]).await;
    world.start();
    let app = world.create_app("shop").await;
    let main = world.order(&app, "db:own", "db-main").await;
    let id = main.addon.id;
    world.there(&main).await;
    let earliest =
        async || world.archive(id).await.and_then(|archive| archive.earliest).map(jiff::Timestamp::as_second);
    world.until("a copy is made", async || earliest().await == Some(1_700_000_000)).await;
    let twin = world.from(&app, "follow", "db-twin").await;
    world.there(&twin).await;
    world.kill().await;
    let path = world.archive_of(&main);
    std::fs::write(path.join("failing"), "the archive is full\n").unwrap();
    world.start();
    world.says(&app, "app[api]: Continuous protection of db-main fails: the archive is full").await;
    world.kill().await;
    std::fs::remove_file(path.join("failing")).unwrap();
    std::fs::write(path.join("gap"), "").unwrap();
    world.start();
    world.says(&app, "app[api]: Continuous protection of db-main works again").await;
    let torn = "app[api]: Continuous protection of db-main was interrupted: changes were not kept, so that it cannot be rolled back before the next base backup";
    world.says(&app, torn).await;
    assert!(world.archive(twin.addon.id).await.is_none(), "its leader's is enough");
}
