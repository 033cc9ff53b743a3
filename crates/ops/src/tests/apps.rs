//! Apps from their making to their end.

use super::*;
use crate::apps::{self, Create, Update};
use domain::ChoreKind;

#[tokio::test]
async fn a_new_app_has_two_releases_a_domain_and_an_owner() {
    let world = World::new().await;
    let made = apps::create(&world.ops, &world.admin, Create::default()).await.unwrap();
    let name = made.app.name.to_string();
    let words: Vec<_> = name.split('-').collect();
    assert!(words.len() == 3 && words[2].len() == 5 && words[2].parse::<u32>().is_ok(), "{name}");
    assert_eq!(world.ledger(&name).await, ["v1 Initial release succeeded", "v2* Enable Logplex succeeded"]);
    assert_eq!(
        world.said(),
        [
            "Release v1 created by user admin@example.com",
            "Initial release by user admin@example.com",
            "Release v2 created by user admin@example.com",
            "Enable Logplex by user admin@example.com",
        ]
    );
    let domains = crate::domains::list(&world.ops, &world.admin, &name).await.unwrap();
    assert_eq!(domains.len(), 1);
    assert_eq!(
        (domains[0].domain.hostname.as_str(), domains[0].domain.custom),
        (&*format!("{name}.localhost"), false)
    );
    let people = crate::collaborators::list(&world.ops, &world.admin, &name).await.unwrap();
    assert_eq!((people.len(), people[0].is_owner), (1, true));
    assert_eq!(made.app.stack, "kigo-13");
}

#[tokio::test]
async fn bad_wishes_for_an_app_leave_nothing_behind() {
    let world = World::new().await;
    world.app("taken").await;
    let named = |name: &str| Create { name: Some(name.into()), ..Default::default() };
    for (input, expected) in [
        (named("taken"), "422 invalid_params Name taken is already taken"),
        (named("x"), "422 invalid_params Name must be between 3 and 30 characters."),
        (named("Bad_Name"), "422 invalid_params Name must start with a letter"),
        (
            Create { region: Some("mars".into()), ..named("fresh") },
            "422 invalid_params Region \"mars\" does not exist.",
        ),
        (
            Create { stack: Some("cedar".into()), ..named("fresh") },
            "422 invalid_params Stack \"cedar\" does not exist.",
        ),
    ] {
        let text = refusal(apps::create(&world.ops, &world.admin, input).await);
        assert!(text.starts_with(expected), "{text}");
    }
    assert_eq!(apps::list(&world.ops, &world.admin).await.unwrap().len(), 1);
    assert!(world.said().is_empty());
}

#[tokio::test]
async fn one_sees_ones_own_apps_and_the_administrator_all() {
    let world = World::new().await;
    world.app("admins").await;
    let (owner, guest) = (world.person("owner").await, world.person("guest").await);
    apps::create(&world.ops, &owner, Create { name: Some("theirs".into()), ..Default::default() })
        .await
        .unwrap();
    let names = async |actor: &Actor| -> Vec<String> {
        let list = apps::list(&world.ops, actor).await.unwrap();
        list.into_iter().map(|info| info.app.name.to_string()).collect()
    };
    assert_eq!(names(&world.admin).await, ["admins", "theirs"]);
    assert_eq!(names(&owner).await, ["theirs"]);
    assert!(names(&guest).await.is_empty());
    crate::collaborators::create(&world.ops, &owner, "theirs", "guest@example.com").await.unwrap();
    assert_eq!(names(&guest).await, ["theirs"]);
    let own = apps::list_of(&world.ops, &world.admin, "~").await.unwrap();
    assert_eq!(own.len(), 1, "/users/~/apps is about the person");
}

#[tokio::test]
async fn renaming_moves_the_default_domain() {
    let world = World::new().await;
    world.app("before").await;
    world.app("other").await;
    let rename = |name: &str| Update { name: Some(name.into()), ..Default::default() };
    assert!(
        refusal(apps::update(&world.ops, &world.admin, "before", rename("other")).await)
            .contains("already taken")
    );
    assert!(
        refusal(apps::update(&world.ops, &world.admin, "before", rename("No")).await).contains("Name must")
    );
    apps::update(&world.ops, &world.admin, "before", rename("before")).await.unwrap();
    assert!(world.said().is_empty());
    apps::update(&world.ops, &world.admin, "before", rename("after")).await.unwrap();
    assert_eq!(world.said(), ["Rename before to after by user admin@example.com"]);
    assert!(apps::info(&world.ops, &world.admin, "before").await.is_err());
    let domains = crate::domains::list(&world.ops, &world.admin, "after").await.unwrap();
    assert_eq!(domains[0].domain.hostname, "after.localhost");
    assert_eq!(world.ledger("after").await.len(), 2, "not a release");
}

#[tokio::test]
async fn maintenance_is_switched_without_a_release() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let switch = |on| Update { maintenance: Some(on), ..Default::default() };
    assert!(apps::update(&world.ops, &world.admin, &app, switch(true)).await.unwrap().app.maintenance);
    assert!(apps::update(&world.ops, &world.admin, &app, switch(true)).await.unwrap().app.maintenance);
    assert!(!apps::update(&world.ops, &world.admin, &app, switch(false)).await.unwrap().app.maintenance);
    assert_eq!(
        world.said(),
        [
            "Maintenance mode enabled by user admin@example.com",
            "Maintenance mode disabled by user admin@example.com"
        ]
    );
    assert_eq!(world.ledger(&app).await.len(), 2);
    let stack = Update { build_stack: Some("nope".into()), ..Default::default() };
    assert!(refusal(apps::update(&world.ops, &world.admin, &app, stack).await).contains("does not exist"));
}

#[tokio::test]
async fn destroying_leaves_no_row_but_a_chore_that_outlives_a_restart() {
    let world = World::new().await;
    let app = world.app("doomed").await;
    world.set(&app, &[("A", Some("1"))]).await.unwrap();
    world.deploy(&app, &[("web", "x"), ("release", "y")]).await;
    let release = world.deploy(&app, &[("web", "x")]).await;
    crate::releases::start_command(&world.ops, release.id).await.unwrap();
    let run = crate::dynos::Create { command: "bash".into(), attach: true, ..Default::default() };
    crate::dynos::create(&world.ops, &world.admin, &app, run).await.unwrap();
    crate::domains::create(&world.ops, &world.admin, &app, "www.example.com").await.unwrap();
    crate::drains::create(&world.ops, &world.admin, &app, "https://example.com").await.unwrap();
    crate::buildpacks::update(&world.ops, &world.admin, &app, &["heroku/nodejs".into()]).await.unwrap();
    crate::features::update(&world.ops, &world.admin, &app, "runtime-dyno-metadata", true).await.unwrap();
    let id = world.row(&app).await.id;
    apps::destroy(&world.ops, &world.admin, &app).await.unwrap();

    let world = world.restart().await;
    assert!(apps::info(&world.ops, &world.admin, "doomed").await.is_err());
    let mut tx = world.ops.store().read().await.unwrap();
    let chores = store::chores::list(&mut tx).await.unwrap();
    assert_eq!(chores.len(), 1);
    assert_eq!(
        (chores[0].kind, chores[0].app, chores[0].app_name.as_str()),
        (ChoreKind::AppDestroyed, id, "doomed")
    );
    drop(tx);
    assert_eq!(world.orphans(id).await, Vec::<String>::new());
    world.app("doomed").await;
}

impl World {
    /// Tables that still mention an app's id anywhere but among the chores.
    async fn orphans(&self, app: AppId) -> Vec<String> {
        let mut tx = self.ops.store().read().await.unwrap();
        let mut left = Vec::new();
        for (table, empty) in [
            ("builds", store::builds::list(&mut tx, app).await.unwrap().is_empty()),
            ("buildpacks", store::buildpacks::of(&mut tx, app).await.unwrap().is_empty()),
            ("collaborators", store::collaborators::list(&mut tx, app).await.unwrap().is_empty()),
            ("configs", store::configs::of_app(&mut tx, app).await.unwrap().0.is_empty()),
            ("domains", store::domains::all(&mut tx).await.unwrap().is_empty()),
            ("drains", store::drains::list(&mut tx, app).await.unwrap().is_empty()),
            ("dynos", store::dynos::all(&mut tx).await.unwrap().is_empty()),
            ("features", store::features::of(&mut tx, app).await.unwrap().is_empty()),
            ("formation", store::formation::all(&mut tx).await.unwrap().is_empty()),
            ("releases", store::releases::list(&mut tx, app).await.unwrap().is_empty()),
            ("slugs", store::slugs::images(&mut tx).await.unwrap().is_empty()),
        ] {
            if !empty {
                left.push(table.to_owned());
            }
        }
        left
    }
}

#[tokio::test]
async fn another_base_domain_moves_every_default_domain_at_the_next_start() {
    let world = World::new().await;
    world.app("one").await;
    crate::domains::create(&world.ops, &world.admin, "one", "one.apps.example").await.unwrap();
    let World { ops, folder, .. } = world;
    drop(ops);
    let settings = Settings { base_domain: "apps.example".into(), ..Settings::default() };
    let world = World::open(folder, settings).await;
    crate::domains::refresh_defaults(&world.ops).await.unwrap();
    let domains = crate::domains::list(&world.ops, &world.admin, "one").await.unwrap();
    let names: Vec<_> =
        domains.iter().map(|info| (info.domain.hostname.as_str(), info.domain.custom)).collect();
    assert_eq!(names, [("one.apps.example", false)], "a custom domain gives way to a default one");
}
