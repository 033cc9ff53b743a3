//! Builds and what their end makes.

use super::*;
use crate::builds::{self, Create, CreateFromBlob};
use crate::registry::{Built, NewManifest};
use domain::{BuildStatus, BuildpackRef, Reference, ReleaseStatus, RepositoryName, Tag, TypeImage};

fn from_url(url: &str) -> Create {
    Create { source_url: url.into(), ..Default::default() }
}

impl World {
    pub(super) async fn build(&self, app: &str) -> domain::Build {
        let input = CreateFromBlob {
            source: digest(1),
            description: "git push".into(),
            version: None,
            version_description: None,
        };
        builds::create_from_blob(&self.ops, &self.admin, app, input).await.unwrap().build
    }
}

#[tokio::test]
async fn a_first_deploy_scales_web_to_one() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "node a.js"), ("worker", "node b.js"), ("console", "node")]).await;
    assert_eq!(world.formation(&app).await, "console=0:Basic web=1:Basic worker=0:Basic");
    assert_eq!(
        world.said(),
        [
            "Build started by user admin@example.com",
            "Deploy 954ab531 by user admin@example.com",
            "Release v3 created by user admin@example.com",
            "Scaled to console@0:Basic web@1:Basic worker@0:Basic by user admin@example.com",
            "Build succeeded",
        ]
    );
    let row = world.row(&app).await;
    assert_eq!((row.buildpack_provided_description.as_deref(), row.slug_size), (Some("Node.js"), Some(1000)));
    assert!(row.released_at.is_some());
}

#[tokio::test]
async fn later_deploys_keep_the_scale_and_follow_the_process_types() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "one"), ("worker", "one")]).await;
    let update = |name: &str, quantity, size: &str| crate::formation::Update {
        process_type: name.into(),
        quantity: Some(crate::formation::Quantity::Absolute(quantity)),
        size: Some(size.into()),
    };
    let updates = vec![update("web", 3, "standard-2x"), update("worker", 2, "basic")];
    crate::formation::update(&world.ops, &world.admin, &app, updates).await.unwrap();
    world.said();
    world.deploy(&app, &[("web", "two"), ("clock", "two")]).await;
    assert_eq!(world.formation(&app).await, "clock=0:Standard-2X web=3:Standard-2X");
    assert!(!world.said().iter().any(|line| line.starts_with("Scaled")));
    let web = crate::formation::info(&world.ops, &world.admin, &app, "web").await.unwrap();
    assert_eq!(web.formation.command, "two");
}

#[tokio::test]
async fn a_first_deploy_without_web_scales_nothing() {
    let world = World::new().await;
    let app = world.app("jobs").await;
    world.deploy(&app, &[("worker", "x")]).await;
    world.deploy(&app, &[("worker", "x"), ("web", "x")]).await;
    assert_eq!(world.formation(&app).await, "web=0:Basic worker=0:Basic");
}

#[tokio::test]
async fn a_first_deploy_keeps_its_buildpacks_and_sets_missing_vars() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.set(&app, &[("LANG", Some("mine"))]).await.unwrap();
    let made = Success {
        buildpacks: vec![BuildpackRef("heroku/nodejs".into())],
        config_vars: [("LANG".into(), "theirs".into()), ("NODE_ENV".into(), "production".into())].into(),
        ..success(&[("web", "x")])
    };
    world.finish(&app, made.clone()).await;
    let vars = crate::config_vars::info(&world.ops, &world.admin, &app).await.unwrap();
    assert_eq!((vars.0["LANG"].as_str(), vars.0["NODE_ENV"].as_str()), ("mine", "production"));
    assert_eq!(
        world.ledger(&app).await[3..],
        ["v4 Set NODE_ENV config vars succeeded", "v5* Deploy 954ab531 succeeded"]
    );
    assert_eq!(crate::buildpacks::list(&world.ops, &world.admin, &app).await.unwrap(), made.buildpacks);

    world.set(&app, &[("NODE_ENV", None)]).await.unwrap();
    world.finish(&app, made).await;
    let vars = crate::config_vars::info(&world.ops, &world.admin, &app).await.unwrap();
    assert!(!vars.0.contains_key("NODE_ENV"), "set again by a later deploy");
}

#[tokio::test]
async fn a_failed_build_makes_no_release() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let build = world.build(&app).await;
    let ended = builds::finish(&world.ops, build.id, Outcome::Failed).await.unwrap().unwrap();
    assert_eq!((ended.build.status, ended.release), (BuildStatus::Failed, None));
    assert_eq!(world.ledger(&app).await.len(), 2);
    assert_eq!(
        world.said()[1],
        format!(
            "Build failed -- check your build output: http://localhost:5000/apps/{}/builds/{}",
            build.app, build.id
        )
    );
}

#[tokio::test]
async fn ending_a_build_twice_makes_one_release() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let build = world.build(&app).await;
    let success = Outcome::Succeeded(Box::new(success(&[("web", "x")])));
    let first = builds::finish(&world.ops, build.id, success.clone()).await.unwrap();
    let second = builds::finish(&world.ops, build.id, success).await.unwrap();
    assert_eq!(first, second);
    let late = builds::finish(&world.ops, build.id, Outcome::Failed).await.unwrap();
    assert_eq!(first, late);
    assert_eq!(world.ledger(&app).await.len(), 3);
    assert_eq!(world.ledger(&app).await[2], "v3* Deploy succeeded", "without a version");
}

#[tokio::test]
async fn a_lease_is_one_servers_until_it_runs_out() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let build = world.build(&app).await;
    let minute = SignedDuration::from_mins(1);
    let lease =
        async |owner: &str| builds::lease(&world.ops, build.id, owner, minute).await.unwrap().is_some();
    assert!(lease("one").await && lease("one").await);
    assert!(!lease("two").await);
    world.pass(59);
    assert!(!lease("two").await);
    assert!(lease("one").await, "prolonged");
    world.pass(60);
    assert!(lease("two").await, "run out");
    assert!(!lease("one").await);
    builds::release_lease(&world.ops, build.id, "one").await.unwrap();
    assert!(!lease("one").await, "not its to give back");
    builds::release_lease(&world.ops, build.id, "two").await.unwrap();
    assert!(lease("one").await);
    builds::finish(&world.ops, build.id, Outcome::Failed).await.unwrap();
    assert!(!lease("one").await);
    assert!(store::builds::pending(&mut world.ops.store().read().await.unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lease_outlives_a_restart_and_the_build_resumes() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let build = world.build(&app).await;
    builds::lease(&world.ops, build.id, "one", SignedDuration::from_mins(1)).await.unwrap();
    let world = world.restart().await;
    let pending = store::builds::pending(&mut world.ops.store().read().await.unwrap()).await.unwrap();
    assert_eq!(pending[0].lease.as_ref().unwrap().owner, "one");
    assert!(
        builds::lease(&world.ops, build.id, "one", SignedDuration::from_mins(1)).await.unwrap().is_some()
    );
}

#[tokio::test]
async fn a_waiting_build_is_cancelled_at_once_and_a_running_one_by_its_builder() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let waiting = world.build(&app).await;
    let id = waiting.id.to_string();
    let info = builds::cancel(&world.ops, &world.admin, &app, &id).await.unwrap();
    assert_eq!(info.build.status, BuildStatus::Failed);
    assert!(
        refusal(builds::cancel(&world.ops, &world.admin, &app, &id).await).contains("has failed already")
    );

    let running = world.build(&app).await;
    builds::lease(&world.ops, running.id, "one", SignedDuration::from_mins(1)).await.unwrap();
    let info = builds::cancel(&world.ops, &world.admin, &app, &running.id.to_string()).await.unwrap();
    assert_eq!((info.build.status, info.build.cancel_requested), (BuildStatus::Pending, true));
    // It was done just then: the user's word counts.
    let done = Outcome::Succeeded(Box::new(success(&[("web", "x")])));
    let ended = builds::finish(&world.ops, running.id, done).await.unwrap().unwrap();
    assert_eq!((ended.build.status, ended.release), (BuildStatus::Failed, None));
}

#[tokio::test]
async fn a_build_of_a_destroyed_app_ends_in_nothing() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let build = world.build(&app).await;
    crate::apps::destroy(&world.ops, &world.admin, &app).await.unwrap();
    assert!(
        builds::lease(&world.ops, build.id, "one", SignedDuration::from_mins(1)).await.unwrap().is_none()
    );
    let done = Outcome::Succeeded(Box::new(success(&[])));
    assert!(builds::finish(&world.ops, build.id, done).await.unwrap().is_none());
}

#[tokio::test]
async fn sources_are_addresses_or_uploads() {
    let world = World::new().await;
    let app = world.app("shop").await;
    for bad in ["", "x", "file:///etc/passwd", "ftp://example.com/x", "//example.com/x"] {
        let text = refusal(builds::create(&world.ops, &world.admin, &app, from_url(bad)).await);
        assert!(text.starts_with("422 invalid_params source_blob.url must be"), "{text}");
    }
    for (input, words) in [
        (Create { checksum: Some("MD5:1".into()), ..from_url("https://example.com/x") }, "Checksum must be"),
        (
            Create { buildpacks: vec!["../x".into()], ..from_url("https://example.com/x") },
            "Buildpack \"../x\"",
        ),
        (Create { version: Some("a\0".into()), ..from_url("https://example.com/x") }, "control characters"),
    ] {
        assert!(refusal(builds::create(&world.ops, &world.admin, &app, input).await).contains(words));
    }
    let plain =
        builds::create(&world.ops, &world.admin, &app, from_url("https://u:p@example.com/x")).await.unwrap();
    assert_eq!(plain.build.source, None);
    assert_eq!(plain.build.source_url, "https://u:p@example.com/x");

    let source = crate::sources::create(&world.ops, &world.admin, None).await.unwrap();
    let address = format!("http://localhost:5000/sources/{}", source.download_key);
    assert!(
        refusal(builds::create(&world.ops, &world.admin, &app, from_url(&address)).await)
            .contains("uploaded")
    );
    crate::sources::uploaded(&world.ops, &source.upload_key, digest(7)).await.unwrap();
    crate::sources::uploaded(&world.ops, &source.upload_key, digest(7)).await.unwrap();
    let other = crate::sources::uploaded(&world.ops, &source.upload_key, digest(8)).await;
    assert!(refusal(other).starts_with("409 conflict"));
    let build = builds::create(&world.ops, &world.admin, &app, from_url(&address)).await.unwrap().build;
    assert_eq!(build.source, Some(digest(7)));
    let mut tx = world.ops.store().read().await.unwrap();
    assert_eq!(store::builds::sources(&mut tx).await.unwrap(), [digest(7)]);
    drop(tx);
    world.pass(25 * 3600);
    assert_eq!(crate::sources::expire_old(&world.ops).await.unwrap(), 1);
    assert!(crate::sources::by_download_key(&world.ops, &source.download_key).await.is_err());
}

#[tokio::test]
async fn an_apps_queue_has_an_end_and_old_builds_are_forgotten() {
    let world = World::with(Settings { max_pending_builds: 2, ..Settings::default() }).await;
    let app = world.app("shop").await;
    let (first, second) = (world.build(&app).await, world.build(&app).await);
    let third = builds::create(&world.ops, &world.admin, &app, from_url("https://example.com/x")).await;
    assert!(refusal(third).starts_with("409 conflict The app shop has 2 builds waiting already."));
    builds::finish(&world.ops, first.id, Outcome::Failed).await.unwrap();
    world.pass(1);
    let last = world.build(&app).await;
    builds::finish(&world.ops, last.id, Outcome::Failed).await.unwrap();
    let forgotten = builds::forget_old(&world.ops, first.app, 1).await.unwrap();
    assert_eq!(forgotten, [first.id]);
    let left: Vec<_> = builds::list(&world.ops, &world.admin, &app)
        .await
        .unwrap()
        .iter()
        .map(|info| info.build.id)
        .collect();
    assert_eq!(left, [second.id, last.id], "one that waits is never forgotten");
}

#[tokio::test]
async fn purging_the_cache_is_a_chore() {
    let world = World::new().await;
    let app = world.app("shop").await;
    builds::purge_cache(&world.ops, &world.admin, &app).await.unwrap();
    let chores = store::chores::list(&mut world.ops.store().read().await.unwrap()).await.unwrap();
    assert_eq!(chores[0].kind, domain::ChoreKind::PurgeCache);
    let mut write = world.ops.store().write().await.unwrap();
    store::chores::delete(&mut write, chores[0].id).await.unwrap();
    write.commit().await.unwrap();
    assert!(store::chores::list(&mut world.ops.store().read().await.unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_build_of_a_deleted_account_still_releases() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let leaver = world.person("leaver").await;
    crate::collaborators::create(&world.ops, &world.admin, &app, "leaver@example.com").await.unwrap();
    let build =
        builds::create(&world.ops, &leaver, &app, from_url("https://example.com/x")).await.unwrap().build;
    crate::accounts::destroy(&world.ops, &leaver, "~").await.unwrap();
    let done = Outcome::Succeeded(Box::new(success(&[("web", "x")])));
    let ended = builds::finish(&world.ops, build.id, done).await.unwrap().unwrap();
    assert_eq!(ended.release.unwrap().status, ReleaseStatus::Succeeded);
    assert_eq!(world.ledger(&app).await.len(), 3);
}

#[tokio::test]
async fn what_was_built_from_a_dockerfile_is_in_the_registry() {
    let settings = Settings { max_registry_bytes: 1000, ..Settings::default() };
    let world = World::with(settings).await;
    let app = world.app("shop").await;
    let built = |name: &str, image: u8, layer: u64| Built {
        process_type: name.parse().unwrap(),
        manifest: NewManifest {
            digest: digest(image),
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            size: 100,
            config: Some(digest(image + 100)),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            blobs: vec![digest(image + 100), digest(50)],
            manifests: Vec::new(),
        },
        blobs: vec![(digest(image + 100), 10), (digest(50), layer)],
    };
    let deploy = async |built: Vec<Built>| {
        let images = built.iter().map(|one| {
            let image = TypeImage { image: one.manifest.digest, own_command: true };
            (one.process_type.clone(), image)
        });
        let images = images.collect();
        world.finish(&app, Success { image: None, images, built, ..success(&[("web", "x")]) }).await;
        world.said()
    };
    deploy(vec![built("web", 1, 500)]).await;
    let latest = async |name: &str| {
        let name = RepositoryName::parse(name).unwrap();
        let tag = Reference::Tag(Tag::parse("latest").unwrap());
        crate::registry::manifest(&world.ops, &world.admin, &name, &tag).await.map(|found| found.digest)
    };
    assert_eq!(latest("shop/web").await.unwrap(), digest(1));
    // The layer that is there counts once; another repository's do not fit.
    let said = deploy(vec![built("web", 2, 500), built("worker", 3, 500)]).await;
    assert_eq!(latest("shop/web").await.unwrap(), digest(2));
    latest("shop/worker").await.unwrap_err();
    let note = "The image is released, but not kept as shop/worker in the registry: The repositories of this";
    assert!(said.iter().any(|line| line.starts_with(note)), "{said:#?}");
    // Nor is one whose process type cannot be a repository's name, and that is no failure.
    let said = deploy(vec![built("Clock", 4, 1)]).await;
    assert!(said.iter().any(|line| line.contains("not kept as shop/Clock")), "{said:#?}");
}
