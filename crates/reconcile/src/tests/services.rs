//! Services and their add-ons as stories: what they print, how they are, and what a kill leaves.

use super::harness::World;
use super::kills::harass;
use addons::Catalog;
use domain::{AddonState, App};
use engine::fake::{Call, Step};
use ops::addons::AddonInfo;
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
URL = "db://{host}:{port}"
[settings.level]
about = "How much."
default = "1"
number = { least = 0, most = 9 }
[run]
packages = ["db"]
process = "keeper"
port = 1234
start = "exec db"
shared = { memory = 64, disk = 64 }
[hooks]
provision = "make"
settings = "set"
deprovision = "drop"
metrics = "measure"
[[plans]]
name = "own"
title = "Own"
memory = 64
disk = 64
[[plans]]
name = "small"
title = "Small"
shared = true
"#;

impl World {
    async fn with_services() -> Self {
        let mut catalog = Catalog::default();
        catalog.add("test", CATALOG).unwrap();
        let settings = ops::Settings { catalog: Arc::new(catalog), ..ops::Settings::default() };
        let world = Self::with_ops(|_| (), settings).await;
        world.engine.script(|spec| match spec.labels.get("kind").map(String::as_str) {
            Some("service") => vec![Step::Print("begins".into()), Step::Listen],
            _ if spec.command.iter().any(|word| word == "measure") => {
                vec![Step::Print("tables=3".into()), Step::Print("not a sample".into()), Step::Exit(0)]
            }
            _ => vec![Step::Exit(0)],
        });
        world
    }

    pub(super) async fn order(&self, app: &App, plan: &str, name: &str) -> AddonInfo {
        let input = ops::addons::Create { plan: plan.into(), name: Some(name.into()), ..Default::default() };
        ops::addons::create(&self.ops, &self.actor, app.name.as_str(), input).await.unwrap()
    }

    pub(super) async fn there(&self, addon: &AddonInfo) {
        self.until("the add-on is there", async || {
            let found = ops::addons::info(&self.ops, &self.actor, &addon.addon.name).await.unwrap();
            found.addon.state == AddonState::Provisioned
        })
        .await;
    }

    async fn attach(&self, app: &App, addon: &AddonInfo) {
        let input = ops::attachments::Create {
            addon: addon.addon.name.clone(),
            app: app.name.to_string(),
            ..Default::default()
        };
        ops::attachments::create(&self.ops, &self.actor, input).await.unwrap();
    }

    pub(super) async fn says(&self, app: &App, line: &str) {
        self.until(line, async || self.log(app).await.iter().any(|one| one == line)).await;
    }
}

/// What was last acknowledged to a container.
fn acknowledged(world: &World, id: uuid::Uuid) -> u64 {
    let calls = world.engine.calls();
    let last = calls.iter().rev().find_map(|call| match call {
        Call::Acknowledge(container, sequence) if *container == id => Some(*sequence),
        _ => None,
    });
    last.unwrap_or(0)
}

#[tokio::test]
async fn what_a_service_prints_goes_to_all_its_apps_and_once() {
    let mut world = World::with_services().await;
    world.start();
    let (shop, blog) = (world.create_app("shop").await, world.create_app("blog").await);
    let own = world.order(&shop, "db:own", "db-clear-12345").await;
    let shared = world.order(&blog, "db:small", "db-dark-77777").await;
    world.there(&own).await;
    world.there(&shared).await;
    let (id, shared) = (own.addon.instance.unwrap().0, shared.addon.instance.unwrap().0);
    world.says(&shop, "app[keeper.12345]: begins").await;
    world.attach(&blog, &own).await;
    for line in 1..=20 {
        world.engine.print(id, format!("line {line}"));
        world.engine.print(shared, format!("somebody's {line}"));
    }
    world.says(&blog, "app[keeper.12345]: line 20").await;
    world
        .until("nothing is kept for ever", async || {
            (acknowledged(&world, id), acknowledged(&world, shared)) == (16, 16)
        })
        .await;
    world.kill().await;
    world.engine.print(id, "while nobody looked");
    world.start();
    for app in [&shop, &blog] {
        world.says(app, "app[keeper.12345]: while nobody looked").await;
        let log = world.log(app).await;
        let lines: Vec<_> = log.iter().filter(|line| line.contains("keeper.12345")).collect();
        let first = usize::from(app.id == shop.id);
        assert_eq!(lines.len(), 21 + first, "{lines:#?}");
        assert!(!log.iter().any(|line| line.contains("somebody's")), "{log:#?}");
    }
}

#[tokio::test]
async fn a_service_that_ends_is_started_again_and_its_last_words_are_kept() {
    let mut world = World::with_services().await;
    world.start();
    let app = world.create_app("shop").await;
    let addon = world.order(&app, "db:own", "db-clear-12345").await;
    world.there(&addon).await;
    let id = addon.addon.instance.unwrap().0;
    let address = world.engine.spec(id).unwrap().address;
    for round in 1..=2 {
        world.engine.print(id, format!("last words {round}"));
        world.engine.exit(id, 1);
        world
            .until("it is there again", async || {
                let log = world.log(&app).await;
                log.iter().filter(|line| *line == "app[keeper.12345]: begins").count() == round + 1
            })
            .await;
        assert_eq!(world.engine.spec(id).unwrap().address, address);
    }
    let log = world.log(&app).await;
    let lines: Vec<_> = log.iter().filter_map(|line| line.strip_prefix("app[keeper.12345]: ")).collect();
    assert_eq!(lines, ["begins", "last words 1", "begins", "last words 2", "begins"]);
}

#[tokio::test]
async fn services_say_how_they_are() {
    let mut world = World::with_services().await;
    world.start();
    let app = world.create_app("shop").await;
    let addon = world.order(&app, "db:small", "db-clear-12345").await;
    world.there(&addon).await;
    world.says(&app, "app[db]: source=DATABASE addon=db-clear-12345 sample#tables=3").await;
}

impl World {
    /// The rows of add-ons and instances, and the containers.
    pub(super) async fn left(&self) -> (usize, usize, usize) {
        let mut tx = self.ops.store().read().await.unwrap();
        let addons = store::addons::list(&mut tx).await.unwrap().len();
        (addons, store::instances::list(&mut tx).await.unwrap().len(), self.engine.specs().len())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_leave_nothing() {
    let mut world = World::with_services().await;
    world.start();
    let app = world.create_app("shop").await;
    let plan = |number| if number % 2 == 0 { "db:own" } else { "db:small" };
    let names: Vec<_> = (0..20).map(|number| format!("db-clear-{number:05}")).collect();
    let orders = names.iter().enumerate().map(|(number, name)| world.order(&app, plan(number), name));
    let made = futures_util::future::join_all(orders).await;
    for addon in &made {
        world.there(addon).await;
    }
    let mut tx = world.ops.store().read().await.unwrap();
    let instances = store::instances::list(&mut tx).await.unwrap();
    drop(tx);
    let addresses: std::collections::BTreeSet<_> = instances.iter().map(|one| one.address).collect();
    assert_eq!((instances.len(), addresses.len()), (11, 11), "ten of their own and a shared one");
    let destroyed =
        made.iter().map(|one| ops::addons::destroy(&world.ops, &world.actor, "shop", &one.addon.name, false));
    for result in futures_util::future::join_all(destroyed).await {
        result.unwrap();
    }
    world.until("only the shared one is left", async || world.left().await == (0, 1, 1)).await;
    let vars = ops::config_vars::info(&world.ops, &world.actor, "shop").await.unwrap();
    assert_eq!(vars.0.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_of_an_add_on_survives_any_kill() {
    let mut world = World::with_services().await;
    world.engine.script(|spec| match spec.labels.get("kind").map(String::as_str) {
        Some("service") => vec![Step::Print("begins".into()), Step::Listen],
        // Long enough to be cut off in the middle, again and again.
        _ => vec![Step::Sleep(Duration::from_millis(3)), Step::Exit(0)],
    });
    let app = world.create_app("shop").await;
    let own = world.order(&app, "db:own", "db-clear-1").await;
    let shared = world.order(&app, "db:small", "db-clear-2").await;
    harass(&mut world, "both are there", async |world| {
        let list = ops::addons::list_of_app(&world.ops, &world.actor, "shop").await.unwrap();
        list.iter().all(|one| one.addon.state == AddonState::Provisioned)
    })
    .await;
    let releases = ops::releases::list(&world.ops, &world.actor, "shop").await.unwrap();
    let attached = releases.iter().filter(|one| one.release.description.starts_with("Attach")).count();
    assert_eq!(attached, 2, "each attached once");

    let values = [("level".to_owned(), "7".to_owned())].into();
    let errand = ops::addons::configure(&world.ops, &world.actor, "db-clear-1", values).await.unwrap();
    harass(&mut world, "it is set", async |world| {
        let mut tx = world.ops.store().read().await.unwrap();
        store::errands::by_id(&mut tx, errand.id).await.unwrap().is_none()
    })
    .await;
    // A container that is started later knows it from the beginning.
    let id = own.addon.instance.unwrap().0;
    world.start();
    world.engine.exit(id, 137);
    world
        .until("it is started again", async || {
            world.engine.spec(id).is_some_and(|spec| spec.env["KIGO_LEVEL"] == "7")
        })
        .await;
    world.kill().await;

    for addon in [&own, &shared] {
        ops::addons::destroy(&world.ops, &world.actor, "shop", &addon.addon.name, false).await.unwrap();
    }
    harass(&mut world, "only the shared one is left", async |world| {
        let (addons, instances, _) = world.left().await;
        (addons, instances) == (0, 1)
    })
    .await;
    world.start();
    world.until("no container is left of what was cut off", async || world.left().await == (0, 1, 1)).await;
}
