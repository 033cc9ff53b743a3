//! Releases of images, each for one process type.

use super::{World, digest, refusal};
use crate::containers::{self, Found, Ready, Wish};
use crate::registry::{self, NewManifest};
use crate::{Result, dynos, formation, releases};
use domain::{ProcessType, RepositoryName, Slug, Tag};
use std::collections::BTreeMap;

fn ready(process_type: &str, byte: u8) -> Ready {
    Ready {
        process_type: ProcessType::parse(process_type).unwrap(),
        asked: digest(byte),
        image: digest(byte),
        command: format!("/bin/{process_type}"),
    }
}

impl World {
    async fn container_app(&self, name: &str) {
        let create = crate::apps::Create {
            name: Some(name.into()),
            stack: Some("container".into()),
            ..Default::default()
        };
        crate::apps::create(&self.ops, &self.admin, create).await.unwrap();
        self.said();
    }

    /// Pushes an image with this manifest and config.
    async fn push(&self, repository: &str, manifest: u8, config: u8) {
        let name = RepositoryName::parse(repository).unwrap();
        let upload = registry::begin_upload(&self.ops, &self.admin, &name).await.unwrap().id;
        registry::finish_upload(&self.ops, &self.admin, &name, upload, (digest(config), 1)).await.unwrap();
        let new = NewManifest {
            digest: digest(manifest),
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            size: 1,
            config: Some(digest(config)),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            blobs: vec![digest(config)],
            manifests: Vec::new(),
        };
        let tags = [Tag::parse("latest").unwrap()];
        registry::put_manifest(&self.ops, &self.admin, &name, new, &tags).await.unwrap();
    }

    async fn find(&self, app: &str, process_type: &str, image: &str) -> Result<Vec<Found>> {
        let wish = Wish { process_type: process_type.into(), image: image.into() };
        containers::find(&self.ops, &self.admin, app, &[wish]).await
    }

    async fn release_images(&self, app: &str, images: &[(&str, u8)]) -> Result<releases::ReleaseInfo> {
        let images = images.iter().map(|(name, byte)| ready(name, *byte)).collect();
        containers::release(&self.ops, &self.admin, app, images).await
    }

    async fn newest_slug(&self, app: &str) -> Slug {
        let app = self.row(app).await;
        let mut write = self.ops.store().write().await.unwrap();
        releases::base_slug(&mut write, app.id).await.unwrap().unwrap()
    }

    /// `web=1 worker=2`: which image each process type of the newest slug runs.
    async fn images(&self, app: &str) -> String {
        let slug = self.newest_slug(app).await;
        let own = slug
            .images
            .iter()
            .map(|(name, own)| format!("{name}={}", own.image.hex()[..2].trim_start_matches('0')));
        own.collect::<Vec<_>>().join(" ")
    }
}

#[tokio::test]
async fn an_image_is_found_by_either_digest() {
    let world = World::new().await;
    world.container_app("blog").await;
    world.push("blog/web", 1, 10).await;
    world.push("blog/worker", 2, 10).await;
    let found = |process_type: &'static str, image: String| {
        let world = &world;
        async move { world.find("blog", process_type, &image).await.map(|found| found[0].manifest) }
    };
    // The repository called like the process type first, though the other one is younger.
    assert_eq!(found("web", digest(10).to_string()).await.unwrap(), digest(1));
    assert_eq!(found("worker", digest(10).hex()).await.unwrap(), digest(2));
    assert_eq!(found("clock", digest(1).to_string()).await.unwrap(), digest(1));
    let unknown = refusal(found("web", digest(99).to_string()).await);
    assert!(unknown.starts_with("422 invalid_params The image sha256:6363"), "{unknown}");
    assert!(unknown.ends_with("Push it to blog/web first."), "{unknown}");
    for (process_type, image) in [("web", "latest"), ("web", "sha256:abc"), ("we b", &digest(1).hex())] {
        assert!(
            refusal(found(process_type, image.into()).await).starts_with("422"),
            "{process_type} {image}"
        );
    }
    let twice = [
        Wish { process_type: "web".into(), image: digest(1).hex() },
        Wish { process_type: "web".into(), image: digest(2).hex() },
    ];
    assert!(
        refusal(containers::find(&world.ops, &world.admin, "blog", &twice).await).contains("named twice")
    );
}

#[tokio::test]
async fn only_apps_of_that_stack_run_images() {
    let world = World::new().await;
    world.app("blog").await;
    let words = "422 invalid_params The app blog does not run images: its stack is kigo-13. Run `heroku stack:set container` first.";
    assert_eq!(refusal(world.find("blog", "web", &digest(1).hex()).await), words);
    assert_eq!(refusal(world.release_images("blog", &[("web", 1)]).await), words);
    let set = crate::apps::Update { build_stack: Some("container".into()), ..Default::default() };
    crate::apps::update(&world.ops, &world.admin, "blog", set).await.unwrap();
    assert!(world.release_images("blog", &[("web", 1)]).await.is_ok());
    assert_eq!(world.row("blog").await.stack, "container");
    let slug = crate::slugs::create(&world.ops, &world.admin, "blog", crate::slugs::Create::default()).await;
    assert!(refusal(slug).contains("can't have the stack container"));
    let stranger = world.person("stranger").await;
    let refused = containers::release(&world.ops, &stranger, "blog", vec![ready("web", 1)]).await;
    assert!(refusal(refused).starts_with("403"));
}

#[tokio::test]
async fn each_process_type_has_its_image_and_others_keep_theirs() {
    let world = World::new().await;
    world.container_app("blog").await;
    let first = world.release_images("blog", &[("web", 0x11)]).await.unwrap();
    assert_eq!(first.release.description, format!("Deployed web ({})", "11".repeat(6)));
    assert_eq!(
        world.said(),
        [
            format!("Deployed web ({}) by user admin@example.com", "11".repeat(6)).as_str(),
            "Release v3 created by user admin@example.com",
            "Scaled to web@1:Basic by user admin@example.com",
        ]
    );
    world.release_images("blog", &[("worker", 0x12), ("clock", 0x13)]).await.unwrap();
    assert_eq!(world.images("blog").await, "clock=13 web=11 worker=12");
    assert_eq!(world.formation("blog").await, "clock=0:Basic web=1:Basic worker=0:Basic");
    world.release_images("blog", &[("web", 0x14)]).await.unwrap();
    assert_eq!(world.images("blog").await, "clock=13 web=14 worker=12");

    containers::remove(&world.ops, &world.admin, "blog", "worker").await.unwrap();
    assert_eq!(world.images("blog").await, "clock=13 web=14");
    assert_eq!(world.formation("blog").await, "clock=0:Basic web=1:Basic");
    let again = containers::remove(&world.ops, &world.admin, "blog", "worker").await;
    assert!(refusal(again).starts_with("404 not_found"));

    releases::rollback(&world.ops, &world.admin, "blog", "v3").await.unwrap();
    assert_eq!(world.formation("blog").await, "web=1:Basic");
    world.release_images("blog", &[("worker", 0x15)]).await.unwrap();
    assert_eq!(world.images("blog").await, "web=11 worker=15", "what follows builds on the rollback");
    world.set("blog", &[("A", Some("1"))]).await.unwrap();
    assert_eq!(world.images("blog").await, "web=11 worker=15");
    assert_eq!(
        world.ledger("blog").await[2..],
        [
            "v3 Deployed web (111111111111) succeeded",
            "v4 Deployed worker (121212121212), clock (131313131313) succeeded",
            "v5 Deployed web (141414141414) succeeded",
            "v6 Removed worker succeeded",
            "v7 Rollback to v3 succeeded",
            "v8 Deployed worker (151515151515) succeeded",
            "v9* Set A config vars succeeded",
        ]
    );
}

#[tokio::test]
async fn what_was_built_from_code_runs_on_beside_it() {
    let world = World::new().await;
    world.app("blog").await;
    world.deploy("blog", &[("web", "node web.js"), ("worker", "node worker.js")]).await;
    let set = crate::apps::Update { build_stack: Some("container".into()), ..Default::default() };
    crate::apps::update(&world.ops, &world.admin, "blog", set).await.unwrap();
    world.release_images("blog", &[("web", 0x11)]).await.unwrap();
    let slug = world.newest_slug("blog").await;
    assert_eq!((slug.image, slug.commit), (Some(digest(2)), None));
    let refused = containers::remove(&world.ops, &world.admin, "blog", "worker").await;
    assert!(refusal(refused).contains("does not run an image of its own"));
    // When nobody runs it any more, it is not kept.
    world.release_images("blog", &[("worker", 0x12)]).await.unwrap();
    assert_eq!(world.newest_slug("blog").await.image, None);
}

#[tokio::test]
async fn a_release_image_is_a_release_command() {
    let world = World::new().await;
    world.container_app("blog").await;
    let info = world.release_images("blog", &[("web", 0x11), ("release", 0x12)]).await.unwrap();
    assert!(info.release.output_key.is_some());
    assert_eq!(world.formation("blog").await, "", "nothing is current before it has succeeded");
    let planned = formation::planned(&world.ops, &world.admin, "blog", "web").await.unwrap().unwrap();
    assert_eq!((planned.formation.quantity, planned.formation.command.as_str()), (0, "/bin/web"));
    let dyno = releases::start_command(&world.ops, info.release.id).await.unwrap().unwrap();
    assert_eq!((dyno.command.as_str(), dyno.name.process_type.as_str()), ("/bin/release", "release"));
    releases::finish_command(&world.ops, info.release.id, true).await.unwrap();
    assert_eq!(world.formation("blog").await, "release=0:Basic web=1:Basic");
    assert_eq!(formation::planned(&world.ops, &world.admin, "blog", "web").await.unwrap(), None);
}

#[tokio::test]
async fn a_one_off_runs_the_image_of_a_process_type() {
    let world = World::new().await;
    world.container_app("blog").await;
    let run = |command: &'static str, process_type: Option<&'static str>| {
        let ops = world.ops.clone();
        let admin = world.admin.clone();
        async move {
            let create = dynos::Create {
                command: command.into(),
                process_type: process_type.map(Into::into),
                ..dynos::Create::default()
            };
            dynos::create(&ops, &admin, "blog", create).await.map(|info| {
                let of = info.dyno.image_type.map(|name| name.to_string());
                (info.dyno.name.process_type.to_string(), info.dyno.command, of)
            })
        }
    };
    assert!(refusal(run("sh", None).await).contains("has no code to run"));
    world.release_images("blog", &[("web", 0x11), ("worker", 0x12)]).await.unwrap();
    let expect = |name: &str, command: &str, of: Option<&str>| {
        (name.to_owned(), command.to_owned(), of.map(str::to_owned))
    };
    assert_eq!(run("sh", None).await.unwrap(), expect("run", "sh", None));
    assert_eq!(run("sh", Some("worker")).await.unwrap(), expect("run", "sh", Some("worker")));
    assert_eq!(
        run("worker --once", None).await.unwrap(),
        expect("run", "/bin/worker --once", Some("worker"))
    );
    assert_eq!(run("sh", Some("task")).await.unwrap(), expect("task", "sh", None));
}

#[tokio::test]
async fn images_of_old_releases_are_given_up_and_others_are_roots() {
    let world = World::new().await;
    world.container_app("blog").await;
    for byte in 0x11..0x16 {
        world.release_images("blog", &[("web", byte)]).await.unwrap();
    }
    let app = world.row("blog").await.id;
    assert_eq!(releases::expire_old(&world.ops, app, 3).await.unwrap(), 2);
    let mut roots = store::slugs::images(&mut world.ops.store().read().await.unwrap()).await.unwrap();
    roots.sort();
    assert_eq!(roots, [0x13, 0x14, 0x15].map(digest));
    assert!(
        refusal(releases::rollback(&world.ops, &world.admin, "blog", "v3").await)
            .contains("its slug has expired")
    );
}
