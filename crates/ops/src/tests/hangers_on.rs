//! What hangs on an app without making a release: buildpacks, collaborators, domains, drains, features.

use super::*;
use crate::{buildpacks, collaborators, domains, drains, features, regions, stacks};

#[tokio::test]
async fn buildpacks_keep_their_order() {
    let world = World::with(Settings { max_buildpacks: 2, ..Settings::default() }).await;
    let app = world.app("shop").await;
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let names = ["https://example.com/b.tgz", "heroku/nodejs"];
    buildpacks::update(&world.ops, &world.admin, &app, &list(&names)).await.unwrap();
    let kept = buildpacks::list(&world.ops, &world.admin, &app).await.unwrap();
    assert_eq!(kept.iter().map(|name| name.0.as_str()).collect::<Vec<_>>(), names);
    for bad in [&["a/b", "c/d", "e/f"][..], &["nonsense"]] {
        assert!(
            refusal(buildpacks::update(&world.ops, &world.admin, &app, &list(bad)).await).starts_with("422")
        );
    }
    assert_eq!(buildpacks::list(&world.ops, &world.admin, &app).await.unwrap(), kept);
    buildpacks::update(&world.ops, &world.admin, &app, &[]).await.unwrap();
    assert!(buildpacks::list(&world.ops, &world.admin, &app).await.unwrap().is_empty());
    assert_eq!(world.ledger(&app).await.len(), 2);
}

#[tokio::test]
async fn collaborators_come_and_go() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let guest = world.person("guest").await;
    let add = async |user: &str| collaborators::create(&world.ops, &world.admin, &app, user).await;
    add("Guest@example.com").await.unwrap();
    assert_eq!(world.said(), ["Add guest@example.com collaborator by user admin@example.com"]);
    assert!(
        refusal(add("guest@example.com").await).starts_with("422 invalid_params guest@example.com is a coll")
    );
    assert!(
        refusal(add("nobody@example.com").await).starts_with("404 not_found Couldn't find the user nobody")
    );
    let list = collaborators::list(&world.ops, &guest, &app).await.unwrap();
    let people: Vec<_> = list.iter().map(|place| (place.user.email.as_str(), place.is_owner)).collect();
    assert_eq!(people, [("admin@example.com", true), ("guest@example.com", false)]);

    let remove = async |actor: &Actor, who: &str| collaborators::destroy(&world.ops, actor, &app, who).await;
    assert!(refusal(remove(&guest, "admin@example.com").await).starts_with("403 forbidden Only the owner"));
    assert!(
        refusal(remove(&world.admin, "admin@example.com").await).starts_with("422 invalid_params The owner")
    );
    remove(&guest, "guest@example.com").await.unwrap();
    assert!(refusal(crate::apps::info(&world.ops, &guest, &app).await).starts_with("403"));
    assert_eq!(refusal(remove(&world.admin, "x").await), "404 not_found Couldn't find that collaborator.");
}

#[tokio::test]
async fn a_host_name_belongs_to_one_app() {
    let world = World::with(Settings { max_domains: 2, ..Settings::default() }).await;
    let (one, two) = (world.app("one").await, world.app("two").await);
    let add = async |app: &str, name: &str| domains::create(&world.ops, &world.admin, app, name).await;
    add(&one, "WWW.example.com").await.unwrap();
    assert_eq!(world.said(), ["Add www.example.com domain by user admin@example.com"]);
    for (app, name, expected) in [
        (&one, "www.example.com", "422 invalid_params Domain already added to this app."),
        (&two, "www.example.com", "422 invalid_params www.example.com is currently in use by another app."),
        (&two, "one.localhost", "422 invalid_params Domains under localhost belong to the apps"),
        (&two, "not a host", "422 invalid_params \"not a host\" is not a valid host name."),
    ] {
        let text = refusal(add(app, name).await);
        assert!(text.starts_with(expected), "{text}");
    }
    add(&one, "*.example.com").await.unwrap();
    assert!(refusal(add(&one, "third.example.com").await).contains("at most 2 custom domains"));
    let default = domains::destroy(&world.ops, &world.admin, &one, "one.localhost").await;
    assert!(refusal(default).contains("default domain"));
    domains::destroy(&world.ops, &world.admin, &one, "www.example.com").await.unwrap();
    add(&two, "www.example.com").await.unwrap();
    let none = domains::info(&world.ops, &world.admin, &one, "www.example.com").await;
    assert_eq!(refusal(none), "404 not_found Couldn't find that domain.");
}

#[tokio::test]
async fn drains_have_a_limit_and_no_doubles() {
    let world = World::with(Settings { max_drains: 2, ..Settings::default() }).await;
    let app = world.app("shop").await;
    let add = async |url: &str| drains::create(&world.ops, &world.admin, &app, url).await;
    let one = add("https://me:secret@example.com/logs").await.unwrap().drain;
    assert!(one.token.starts_with("d.") && one.token.len() == 38);
    assert!(refusal(add("https://me:secret@example.com/logs").await).starts_with("409 conflict"));
    assert!(refusal(add("gopher://x").await).starts_with("422 invalid_params URL is invalid"));
    add("syslog+tls://example.com:6514").await.unwrap();
    assert_eq!(
        refusal(add("https://third.example.com").await),
        "422 invalid_params You have already added the maximum number of drains allowed"
    );
    let id = one.id.to_string();
    for identity in [id.as_str(), &one.url, &one.token] {
        assert_eq!(drains::info(&world.ops, &world.admin, &app, identity).await.unwrap().drain, one);
    }
    drains::destroy(&world.ops, &world.admin, &app, &one.url).await.unwrap();
    assert_eq!(
        refusal(drains::destroy(&world.ops, &world.admin, &app, &id).await),
        "404 not_found Couldn't find that drain."
    );
    assert!(!world.said().iter().any(|line| line.contains("secret")));
}

#[tokio::test]
async fn features_are_switched_by_name_or_id() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let row = world.row(&app).await;
    let all = features::list(&world.ops, &world.admin, &app).await.unwrap();
    assert!(all.iter().all(|info| !info.enabled));
    let id = all[0].feature.id.to_string();
    features::update(&world.ops, &world.admin, &app, &id, true).await.unwrap();
    assert!(features::info(&world.ops, &world.admin, &app, features::DYNO_METADATA).await.unwrap().enabled);
    let mut tx = world.ops.store().read().await.unwrap();
    assert!(features::is_enabled(&mut tx, row.id, features::DYNO_METADATA).await.unwrap());
    drop(tx);
    features::update(&world.ops, &world.admin, &app, features::DYNO_METADATA, false).await.unwrap();
    assert_eq!(
        world.said(),
        [
            "Enable runtime-dyno-metadata feature by user admin@example.com",
            "Disable runtime-dyno-metadata feature by user admin@example.com",
        ]
    );
    let none = features::update(&world.ops, &world.admin, &app, "spdy", true).await;
    assert_eq!(refusal(none), "404 not_found Couldn't find that feature.");
}

#[test]
fn there_is_one_region_and_the_default_stack_exists() {
    assert_eq!(regions::info("local").unwrap(), regions::list()[0]);
    assert_eq!(refusal(regions::info("us")), "404 not_found Couldn't find that region.");
    let default: Vec<_> = stacks::list().iter().filter(|stack| stack.default).collect();
    assert_eq!(default.len(), 1);
    assert_eq!(stacks::info(&default[0].id.to_string()).unwrap().name, stacks::DEFAULT);
    assert_eq!(refusal(stacks::info("cedar")), "404 not_found Couldn't find that stack.");
}
