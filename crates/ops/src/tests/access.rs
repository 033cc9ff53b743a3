//! Who may do what, in one table.

use super::*;
use crate::{
    apps, buildpacks, builds, collaborators, config_vars, domains, drains, dynos, features, formation,
    releases, slugs, sources, test_builds,
};
use std::future::Future;
use std::pin::Pin;

type Attempt = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Who tries it.
const ACTORS: [&str; 7] = ["admin", "owner", "collaborator", "stranger", "read", "write", "identity"];

/// An intent, and which of [`ACTORS`] may carry it out. The last three are the owner with a token of
/// that scope alone.
struct Intent {
    name: &'static str,
    allowed: &'static str,
    attempt: fn(Ops, Actor, String) -> Attempt,
}

macro_rules! intents {
    ($($name:literal, $allowed:literal, |$ops:ident, $actor:ident, $app:ident| $call:expr;)+) => {
        [$(Intent {
            name: $name,
            allowed: $allowed,
            attempt: |ops, actor, app| Box::pin(async move {
                let ($ops, $actor, $app) = (&ops, &actor, app.as_str());
                $call.await.map(drop)
            }),
        }),+]
    };
}

fn intents() -> impl IntoIterator<Item = Intent> {
    intents![
        "apps::info", "admin owner collaborator read write", |o, a, app| apps::info(o, a, app);
        "apps::authorize_push", "admin owner collaborator write", |o, a, app| apps::authorize_push(o, a, app);
        "apps::authorize_logs", "admin owner collaborator read write", |o, a, app| apps::authorize_logs(o, a, app);
        "apps::update maintenance", "admin owner collaborator write", |o, a, app| apps::update(
            o, a, app, apps::Update { maintenance: Some(true), ..Default::default() });
        "apps::update name", "admin owner write", |o, a, app| apps::update(
            o, a, app, apps::Update { name: Some(format!("{app}-x")), ..Default::default() });
        "apps::destroy", "admin owner write", |o, a, app| apps::destroy(o, a, app);
        "buildpacks::list", "admin owner collaborator read write", |o, a, app| buildpacks::list(o, a, app);
        "buildpacks::update", "admin owner collaborator write", |o, a, app| buildpacks::update(o, a, app, &[]);
        "builds::list", "admin owner collaborator read write", |o, a, app| builds::list(o, a, app);
        "builds::create", "admin owner collaborator write", |o, a, app| builds::create(
            o, a, app, builds::Create { source_url: "https://example.com/x.tgz".into(), ..Default::default() });
        "builds::purge_cache", "admin owner collaborator write", |o, a, app| builds::purge_cache(o, a, app);
        "collaborators::list", "admin owner collaborator read write", |o, a, app| collaborators::list(o, a, app);
        "collaborators::create", "admin owner write", |o, a, app| collaborators::create(
            o, a, app, "admin@example.com");
        "collaborators::destroy other", "admin owner write", |o, a, app| collaborators::destroy(
            o, a, app, "second@example.com");
        "config_vars::info", "admin owner collaborator", |o, a, app| config_vars::info(o, a, app);
        "config_vars::info_of_release", "admin owner collaborator",
            |o, a, app| config_vars::info_of_release(o, a, app, "1");
        "config_vars::update", "admin owner collaborator", |o, a, app| config_vars::update(
            o, a, app, [("A".to_owned(), Some("1".to_owned()))].into());
        "domains::list", "admin owner collaborator read write", |o, a, app| domains::list(o, a, app);
        "domains::create", "admin owner collaborator write",
            |o, a, app| async move { domains::create(o, a, app, &format!("{app}.example.com")).await };
        "drains::list", "admin owner collaborator", |o, a, app| drains::list(o, a, app);
        "drains::create", "admin owner collaborator", |o, a, app| drains::create(o, a, app, "https://example.com");
        "dynos::list", "admin owner collaborator read write", |o, a, app| dynos::list(o, a, app);
        "dynos::create", "admin owner collaborator", |o, a, app| dynos::create(
            o, a, app, dynos::Create { command: "bash".into(), ..Default::default() });
        "dynos::restart", "admin owner collaborator write", |o, a, app| dynos::restart(o, a, app, dynos::Target::All);
        "dynos::stop", "admin owner collaborator write",
            |o, a, app| dynos::stop(o, a, app, dynos::Target::ProcessType("web"));
        "features::list", "admin owner collaborator read write", |o, a, app| features::list(o, a, app);
        "features::update", "admin owner collaborator write",
            |o, a, app| features::update(o, a, app, features::DYNO_METADATA, true);
        "formation::list", "admin owner collaborator read write", |o, a, app| formation::list(o, a, app);
        "formation::update", "admin owner collaborator write", |o, a, app| formation::update(o, a, app, Vec::new());
        "releases::list", "admin owner collaborator read write", |o, a, app| releases::list(o, a, app);
        "releases::rollback", "admin owner collaborator", |o, a, app| releases::rollback(o, a, app, "3");
        "slugs::create", "admin owner collaborator write", |o, a, app| slugs::create(
            o, a, app, slugs::Create::default());
        "test_builds::list", "admin owner collaborator read write", |o, a, app| test_builds::list(o, a, app);
        "test_builds::create", "admin owner collaborator write", |o, a, app| test_builds::create(
            o, a, app, test_builds::Create { source_url: "https://example.com/x.tgz".into(), ..Default::default() });
        "sources::create", "admin owner collaborator write", |o, a, app| sources::create(o, a, Some(app));
    ]
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says() {
    let world = World::new().await;
    let owner = world.person("owner").await;
    let collaborator = world.person("collaborator").await;
    let second = world.person("second").await;
    let actors = [
        world.admin.clone(),
        owner.clone(),
        collaborator.clone(),
        world.person("stranger").await,
        world.token(&owner, &["read"]).await,
        world.token(&owner, &["write"]).await,
        world.token(&owner, &["identity"]).await,
    ];
    let mut count = 0;
    for intent in intents() {
        // A fresh app for each attempt that might work; one that was refused has changed nothing.
        let mut fresh = None;
        for (name, actor) in ACTORS.iter().zip(&actors) {
            let app = if let Some(app) = fresh.take() {
                app
            } else {
                count += 1;
                shared_app(&world, &owner, [&collaborator, &second], &format!("app-{count}")).await
            };
            let result = (intent.attempt)(world.ops.clone(), actor.clone(), app.clone()).await;
            let what = format!("{} by {name}: {result:?}", intent.name);
            if intent.allowed.split(' ').any(|word| word == *name) {
                assert!(result.is_ok(), "{what}");
            } else {
                assert!(matches!(result, Err(Error::Forbidden(_))), "{what}");
                fresh = Some(app);
            }
        }
    }
}

/// An app with guests, and a release to roll back to.
async fn shared_app(world: &World, owner: &Actor, guests: [&Actor; 2], name: &str) -> String {
    let input = apps::Create { name: Some(name.into()), ..Default::default() };
    apps::create(&world.ops, owner, input).await.unwrap();
    for guest in guests {
        collaborators::create(&world.ops, owner, name, &guest.account.email).await.unwrap();
    }
    world.deploy(name, &[("web", "x")]).await;
    world.set(name, &[("NEWER", Some("x"))]).await.unwrap();
    name.to_owned()
}

#[tokio::test]
async fn refusals_say_which_app_or_scope() {
    let world = World::new().await;
    world.app("private").await;
    let stranger = world.person("stranger").await;
    let reader = world.token(&world.admin, &["read"]).await;
    assert_eq!(
        refusal(apps::info(&world.ops, &stranger, "private").await),
        "403 forbidden You do not have access to the app private."
    );
    assert_eq!(
        refusal(apps::info(&world.ops, &stranger, "nowhere").await),
        "404 not_found Couldn't find that app."
    );
    assert_eq!(
        refusal(apps::destroy(&world.ops, &reader, "private").await),
        "403 forbidden The scope of this OAuth authorization (read) does not allow this; it needs one of: global, write, write-protected."
    );
}

#[tokio::test]
async fn apps_are_found_by_name_and_id() {
    let world = World::new().await;
    world.app("named").await;
    let id = world.row("named").await.id.to_string();
    assert_eq!(world.row(&id).await.name.as_str(), "named");
    for nothing in ["", "x", "other", "../named", &AppId::new().to_string(), "NAMED"] {
        let result = apps::info(&world.ops, &world.admin, nothing).await;
        assert!(matches!(result, Err(Error::NotFound { resource: "app", .. })), "{nothing}");
    }
}
