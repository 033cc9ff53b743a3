//! The ledger: release commands, rollback, slugs that are released by hand, and expiry.

use super::*;
use crate::releases::{self, Create};
use crate::{apps, slugs};
use domain::{DynoKind, ReleaseStatus};

const WITH_COMMAND: &[(&str, &str)] = &[("web", "x"), ("release", "migrate")];

#[tokio::test]
async fn a_release_command_holds_the_release_back() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let release = world.deploy(&app, WITH_COMMAND).await;
    assert_eq!(release.status, ReleaseStatus::Pending);
    assert!(release.output_key.is_some());
    assert_eq!(
        world.said()[1..3],
        [
            "Deploy 954ab531 by user admin@example.com",
            "Running release v3 commands by user admin@example.com",
        ]
    );
    assert_eq!(world.formation(&app).await, "", "nothing starts before the command has ended");
    assert_eq!(world.ledger(&app).await[1..], ["v2* Enable Logplex succeeded", "v3 Deploy 954ab531 pending"]);

    let dyno = releases::start_command(&world.ops, release.id).await.unwrap().unwrap();
    assert_eq!(
        (dyno.kind, dyno.command.as_str(), dyno.time_limit),
        (DynoKind::Release, "migrate", Some(3600))
    );
    assert!(dyno.name.to_string().starts_with("release."));
    assert_eq!(world.said(), ["Starting process with command `migrate` by user admin@example.com"]);

    releases::finish_command(&world.ops, release.id, true).await.unwrap();
    assert_eq!(
        world.said(),
        [
            "Release v3 created by user admin@example.com",
            "Scaled to release@0:Basic web@1:Basic by user admin@example.com",
        ]
    );
    assert_eq!(world.ledger(&app).await[2], "v3* Deploy 954ab531 succeeded");
    releases::finish_command(&world.ops, release.id, false).await.unwrap();
    assert_eq!(world.ledger(&app).await[2], "v3* Deploy 954ab531 succeeded", "it has ended already");
}

#[tokio::test]
async fn a_release_command_starts_once_whatever_dies() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let release = world.deploy(&app, WITH_COMMAND).await;
    let first = releases::start_command(&world.ops, release.id).await.unwrap().unwrap();
    let world = world.restart().await;
    let pending = store::releases::pending(&mut world.ops.store().read().await.unwrap()).await.unwrap();
    assert_eq!(pending.iter().map(|release| release.id).collect::<Vec<_>>(), [release.id]);
    let second = releases::start_command(&world.ops, release.id).await.unwrap().unwrap();
    assert_eq!(first, second);
    let mut write = world.ops.store().write().await.unwrap();
    store::dynos::delete(&mut write, first.id).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(releases::start_command(&world.ops, release.id).await.unwrap(), None, "it ran already");
}

#[tokio::test]
async fn a_failed_command_leaves_the_old_release_and_uses_its_number() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "old")]).await;
    let failing = world.deploy(&app, WITH_COMMAND).await;
    world.said();
    releases::finish_command(&world.ops, failing.id, false).await.unwrap();
    assert_eq!(world.said(), ["Release v4 command failed"]);
    assert_eq!(world.formation(&app).await, "web=1:Basic");
    world.set(&app, &[("A", Some("1"))]).await.unwrap();
    assert_eq!(
        world.ledger(&app).await[2..],
        ["v3 Deploy 954ab531 succeeded", "v4 Deploy 954ab531 failed", "v5* Set A config vars succeeded",]
    );
    let releases = releases::list(&world.ops, &world.admin, &app).await.unwrap();
    assert_eq!(
        releases[4].release.slug, releases[2].release.slug,
        "the config change keeps the code that works"
    );
}

#[tokio::test]
async fn a_config_change_during_a_release_command_does_not_undo_the_deploy() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "old")]).await;
    let deploy = world.deploy(&app, WITH_COMMAND).await;
    world.set(&app, &[("A", Some("1"))]).await.unwrap();
    let releases = releases::list(&world.ops, &world.admin, &app).await.unwrap();
    let change = &releases[4].release;
    assert_eq!((change.slug, change.status), (deploy.slug, ReleaseStatus::Pending));
    releases::finish_command(&world.ops, deploy.id, true).await.unwrap();
    releases::finish_command(&world.ops, change.id, true).await.unwrap();
    assert_eq!(world.ledger(&app).await[4], "v5* Set A config vars succeeded");
}

#[tokio::test]
async fn an_earlier_command_that_ends_later_does_not_take_over() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "one")]).await;
    world.deploy(&app, &[("web", "two")]).await;
    let slow = world.deploy(&app, WITH_COMMAND).await;
    releases::rollback(&world.ops, &world.admin, &app, "3").await.unwrap();
    releases::finish_command(&world.ops, slow.id, true).await.unwrap();
    assert_eq!(
        world.ledger(&app).await[4..],
        ["v5 Deploy 954ab531 succeeded", "v6* Rollback to v3 succeeded"]
    );
    assert_eq!(world.formation(&app).await, "web=1:Basic");
}

#[tokio::test]
async fn a_rollback_brings_code_process_types_and_vars_back() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.set(&app, &[("A", Some("old"))]).await.unwrap();
    let old = world.deploy(&app, &[("web", "old"), ("clock", "old")]).await;
    world.set(&app, &[("A", Some("new")), ("B", Some("new"))]).await.unwrap();
    world.deploy(&app, &[("web", "new")]).await;
    world.said();
    let info = releases::rollback(&world.ops, &world.admin, &app, "v4").await.unwrap();
    assert_eq!((info.release.version, info.release.slug, info.current), (7, old.slug, true));
    assert_eq!(
        world.said(),
        ["Rollback to v4 by user admin@example.com", "Release v7 created by user admin@example.com"]
    );
    let vars = crate::config_vars::info(&world.ops, &world.admin, &app).await.unwrap();
    assert_eq!(vars.0, [("A".to_owned(), "old".to_owned())].into());
    assert_eq!(world.formation(&app).await, "clock=0:Basic web=1:Basic");
    let web = crate::formation::info(&world.ops, &world.admin, &app, "web").await.unwrap();
    assert_eq!(web.formation.command, "old");
}

#[tokio::test]
async fn what_cannot_be_rolled_back_to() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "x")]).await;
    let failed = world.deploy(&app, WITH_COMMAND).await;
    releases::finish_command(&world.ops, failed.id, false).await.unwrap();
    world.deploy(&app, WITH_COMMAND).await;
    for (identity, expected) in [
        ("2", "422 invalid_params Cannot rollback to v2: no code had been deployed then."),
        ("3", "422 invalid_params Cannot rollback to v3: it is the current release."),
        ("v4", "422 invalid_params Cannot rollback to v4: it is failed."),
        ("5", "422 invalid_params Cannot rollback to v5: it is pending."),
        ("6", "404 not_found Couldn't find that release."),
        ("-1", "404 not_found Couldn't find that release."),
        ("x", "404 not_found Couldn't find that release."),
    ] {
        assert_eq!(refusal(releases::rollback(&world.ops, &world.admin, &app, identity).await), expected);
    }
    let list = releases::list(&world.ops, &world.admin, &app).await.unwrap();
    let eligible: Vec<_> =
        list.iter().filter(|info| info.eligible_for_rollback).map(|info| info.release.version).collect();
    assert_eq!(eligible, [3]);
    // Another app's release is none of this one's.
    world.app("other").await;
    let theirs = list[2].release.id.to_string();
    assert!(releases::info(&world.ops, &world.admin, "other", &theirs).await.is_err());
    let current = releases::info(&world.ops, &world.admin, &app, "current").await.unwrap();
    assert_eq!(current.release.version, 3);
}

#[tokio::test]
async fn a_slug_made_by_hand_is_uploaded_then_released() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let checksum = format!("SHA256:{}", "ab".repeat(32));
    let input = slugs::Create {
        process_types: [("web".to_owned(), "x".to_owned())].into(),
        checksum: Some(checksum.to_uppercase()),
        commit: Some("60883d9e8947a57e04dc9124f25df004866a2051".into()),
        ..Default::default()
    };
    let slug = slugs::create(&world.ops, &world.admin, &app, input).await.unwrap();
    let release = |description: Option<&str>| Create {
        slug: slug.id.to_string(),
        description: description.map(Into::into),
    };
    let early = releases::create(&world.ops, &world.admin, &app, release(None)).await;
    assert_eq!(refusal(early), "422 invalid_params This slug was not uploaded yet.");

    let upload =
        |byte, checksum: &str| slugs::Uploaded { image: digest(byte), checksum: checksum.into(), size: 9 };
    let wrong = slugs::uploaded(&world.ops, &slug.upload_key, upload(3, "SHA256:00")).await;
    assert!(refusal(wrong).contains("The upload's checksum is SHA256:00"));
    slugs::uploaded(&world.ops, &slug.upload_key, upload(3, &checksum)).await.unwrap();
    slugs::uploaded(&world.ops, &slug.upload_key, upload(3, &checksum)).await.unwrap();
    let other = slugs::uploaded(&world.ops, &slug.upload_key, upload(4, &checksum)).await;
    assert!(refusal(other).starts_with("409 conflict"));

    let made = releases::create(&world.ops, &world.admin, &app, release(None)).await.unwrap();
    assert_eq!(made.release.description, "Deploy 60883d9e");
    assert_eq!(world.formation(&app).await, "web=1:Basic");
    let named = releases::create(&world.ops, &world.admin, &app, release(Some("Try again"))).await.unwrap();
    assert_eq!((named.release.version, named.release.description.as_str()), (4, "Try again"));
}

#[tokio::test]
async fn a_slug_is_released_on_another_app_and_outlives_its_own() {
    let world = World::new().await;
    let (app, other) = (world.app("shop").await, world.app("other").await);
    let slug = world.deploy(&app, &[("web", "x")]).await.slug.unwrap();
    let input = Create { slug: slug.to_string(), description: None };
    let made = releases::create(&world.ops, &world.admin, &other, input.clone()).await.unwrap();
    assert_eq!((made.release.version, made.release.description.as_str()), (3, "Deploy 954ab531"));
    assert_eq!(world.formation(&other).await, "web=1:Basic");
    let copy = made.release.slug.unwrap();
    assert_ne!(copy, slug, "a row of its own");

    let stranger = world.person("stranger").await;
    let theirs = apps::create(&world.ops, &stranger, apps::Create::default()).await.unwrap();
    let refused = releases::create(&world.ops, &stranger, theirs.app.name.as_str(), input).await;
    assert_eq!(refusal(refused), "404 not_found Couldn't find that slug.");

    let image = slugs::info(&world.ops, &world.admin, &app, &slug.to_string()).await.unwrap().image;
    apps::destroy(&world.ops, &world.admin, &app).await.unwrap();
    let left = slugs::info(&world.ops, &world.admin, &other, &copy.to_string()).await.unwrap();
    assert_eq!((left.image, left.expired), (image, false));
}

#[tokio::test]
async fn slugs_that_make_no_sense() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let typed = |name: &str, command: &str| slugs::Create {
        process_types: [(name.to_owned(), command.to_owned())].into(),
        ..Default::default()
    };
    for (input, words) in [
        (typed("we b", "x"), "Process type"),
        (typed("web", ""), "can't be blank"),
        (typed("web", "a\nb"), "control characters"),
        (slugs::Create { checksum: Some("x".into()), ..Default::default() }, "Checksum must be"),
        (slugs::Create { stack: Some("x".into()), ..Default::default() }, "Stack \"x\" does not exist"),
    ] {
        let text = refusal(slugs::create(&world.ops, &world.admin, &app, input).await);
        assert!(text.starts_with("422") && text.contains(words), "{text}");
    }
    assert!(slugs::by_upload_key(&world.ops, "").await.is_err());
    assert!(slugs::info(&world.ops, &world.admin, &app, "x").await.is_err());
}

#[tokio::test]
async fn old_slugs_expire_but_not_those_in_use() {
    let world = World::new().await;
    let app = world.app("shop").await;
    for byte in 10..15 {
        world.finish(&app, Success { image: Some(digest(byte)), ..success(&[("web", "x")]) }).await;
    }
    releases::rollback(&world.ops, &world.admin, &app, "3").await.unwrap();
    let id = world.row(&app).await.id;
    let run = crate::dynos::Create { command: "bash".into(), ..Default::default() };
    crate::dynos::create(&world.ops, &world.admin, &app, run).await.unwrap();
    // v3 runs again as v8; v7 and v8 are the newest; v4, v5 and v6 go.
    assert_eq!(releases::expire_old(&world.ops, id, 2).await.unwrap(), 3);
    assert_eq!(releases::expire_old(&world.ops, id, 2).await.unwrap(), 0);
    let images = store::slugs::images(&mut world.ops.store().read().await.unwrap()).await.unwrap();
    assert_eq!(images, [digest(10), digest(14)]);
    assert_eq!(
        refusal(releases::rollback(&world.ops, &world.admin, &app, "4").await),
        "422 invalid_params Cannot rollback to v4: its slug has expired."
    );
}

#[tokio::test]
async fn slugs_that_nobody_releases_expire() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let id = world.row(&app).await.id;
    let slug = slugs::create(&world.ops, &world.admin, &app, slugs::Create::default()).await.unwrap();
    let upload = slugs::Uploaded { image: digest(20), checksum: "SHA256:1".into(), size: 1 };
    slugs::uploaded(&world.ops, &slug.upload_key, upload).await.unwrap();
    world.pass(6 * 24 * 3600);
    assert_eq!(releases::expire_old(&world.ops, id, 2).await.unwrap(), 0);
    world.pass(2 * 24 * 3600);
    assert_eq!(releases::expire_old(&world.ops, id, 2).await.unwrap(), 1);
    let create = Create { slug: slug.id.to_string(), description: None };
    let refused = refusal(releases::create(&world.ops, &world.admin, &app, create).await);
    assert!(refused.starts_with("422"), "{refused}");
}
