//! Repositories: who may do what, and what goes when.

use super::{World, digest};
use crate::registry::{self, NewManifest, Swept};
use crate::{Actor, Error, Result, Settings};
use domain::{Digest, Reference, RepositoryName, Tag, UploadId};
use jiff::SignedDuration;
use std::collections::BTreeMap;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn name(text: &str) -> RepositoryName {
    RepositoryName::parse(text).unwrap()
}

fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

fn new(digest: Digest) -> NewManifest {
    NewManifest {
        digest,
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        size: 10,
        config: None,
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        blobs: Vec::new(),
        manifests: Vec::new(),
    }
}

impl World {
    async fn upload(&self, actor: &Actor, repository: &str, blob: u8, size: u64) -> Result<UploadId> {
        let name = name(repository);
        let upload = registry::begin_upload(&self.ops, actor, &name).await?;
        registry::finish_upload(&self.ops, actor, &name, upload.id, (digest(blob), size)).await?;
        Ok(upload.id)
    }

    async fn put(&self, repository: &str, new: NewManifest, tags: &[&str]) -> Result<()> {
        let tags: Vec<_> = tags.iter().map(|text| tag(text)).collect();
        registry::put_manifest(&self.ops, &self.admin, &name(repository), new, &tags).await
    }

    async fn tags_of(&self, repository: &str) -> Vec<String> {
        let tags = registry::tags(&self.ops, &self.admin, &name(repository), None, 100).await.unwrap();
        tags.iter().map(ToString::to_string).collect()
    }

    /// Which of these manifests are there.
    async fn manifests(&self, repository: &str, candidates: &[u8]) -> Vec<u8> {
        let mut there = Vec::new();
        for byte in candidates {
            let reference = Reference::Digest(digest(*byte));
            if registry::manifest(&self.ops, &self.admin, &name(repository), &reference).await.is_ok() {
                there.push(*byte);
            }
        }
        there
    }
}

#[tokio::test]
async fn rights_are_those_on_the_app() {
    let world = World::new().await;
    world.app("blog").await;
    let stranger = world.person("stranger").await;
    let reader = world.token(&world.admin, &["read"]).await;
    world.upload(&world.admin, "blog/web", 1, 5).await.unwrap();

    let blob = |actor: Actor, repository: &'static str| {
        let ops = world.ops.clone();
        async move { registry::blob(&ops, &actor, &name(repository), &digest(1)).await }
    };
    assert_eq!(blob(world.admin.clone(), "blog/web").await.unwrap().size, 5);
    assert_eq!(blob(reader.clone(), "blog/web").await.unwrap().size, 5);
    assert!(matches!(blob(stranger.clone(), "blog/web").await, Err(Error::Forbidden(_))));
    // Another repository of the same app does not have it, nor is there one of another name.
    for (repository, resource) in [("blog/worker", "repository"), ("nothing/web", "app")] {
        let error = blob(world.admin.clone(), repository).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { resource: found, .. } if found == resource), "{error}");
    }
    for actor in [&stranger, &reader] {
        let error = world.upload(actor, "blog/web", 2, 5).await.unwrap_err();
        assert!(matches!(error, Error::Forbidden(_)), "{error}");
        let gone = registry::delete_tag(&world.ops, actor, &name("blog/web"), &tag("x")).await;
        assert!(matches!(gone, Err(Error::Forbidden(_))));
    }
}

#[tokio::test]
async fn a_blob_is_mounted_from_where_one_may_read() {
    let world = World::new().await;
    world.app("blog").await;
    let person = world.person("person").await;
    let create = crate::apps::Create { name: Some("mine".into()), ..crate::apps::Create::default() };
    crate::apps::create(&world.ops, &person, create).await.unwrap();
    world.upload(&world.admin, "blog/web", 1, 5).await.unwrap();
    let mount = |actor: Actor, to: &'static str, from: Option<&'static str>| {
        let ops = world.ops.clone();
        async move {
            let from = from.map(name);
            registry::mount(&ops, &actor, &name(to), &digest(1), from.as_ref()).await.unwrap().is_some()
        }
    };
    assert!(!mount(person.clone(), "mine/web", Some("blog/web")).await, "not one's own");
    assert!(!mount(person.clone(), "mine/web", None).await);
    assert!(!mount(world.admin.clone(), "blog/x", Some("blog/none")).await);
    assert!(mount(world.admin.clone(), "blog/worker", None).await, "the app's own without a name");
    assert!(mount(world.admin.clone(), "mine/web", Some("blog/web")).await);
    assert!(registry::blob(&world.ops, &person, &name("mine/web"), &digest(1)).await.is_ok());
}

#[tokio::test]
async fn a_manifest_needs_its_parts() {
    let world = World::new().await;
    world.app("blog").await;
    world.upload(&world.admin, "blog/web", 1, 5).await.unwrap();
    let with = |blobs: &[u8], manifests: &[u8]| NewManifest {
        blobs: blobs.iter().map(|byte| digest(*byte)).collect(),
        manifests: manifests.iter().map(|byte| digest(*byte)).collect(),
        ..new(digest(10))
    };
    for missing in [with(&[1, 2], &[]), with(&[1], &[1])] {
        let error = world.put("blog/web", missing, &["latest"]).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { resource: "part", .. }), "{error}");
    }
    world.put("blog/web", with(&[1], &[]), &["latest", "v1"]).await.unwrap();
    assert_eq!(world.tags_of("blog/web").await, ["latest", "v1"]);
    let deleted = registry::delete_blob(&world.ops, &world.admin, &name("blog/web"), &digest(1)).await;
    assert!(matches!(deleted, Err(Error::Conflict(_))), "{deleted:?}");
    // A subject may be missing.
    let about = NewManifest { subject: Some(digest(99)), ..new(digest(11)) };
    world.put("blog/web", about, &[]).await.unwrap();
    registry::delete_manifest(&world.ops, &world.admin, &name("blog/web"), &digest(10)).await.unwrap();
    assert!(world.tags_of("blog/web").await.is_empty());
    registry::delete_blob(&world.ops, &world.admin, &name("blog/web"), &digest(1)).await.unwrap();
}

#[tokio::test]
async fn numbers_and_bytes_have_an_end() {
    let settings = Settings {
        max_repositories: 2,
        max_manifests: 2,
        max_tags: 2,
        max_uploads: 1,
        max_registry_bytes: 30,
        ..Settings::default()
    };
    let world = World::with(settings).await;
    world.app("blog").await;
    world.upload(&world.admin, "blog/a", 1, 6).await.unwrap();
    let over = world.upload(&world.admin, "blog/a", 2, 25).await.unwrap_err();
    assert!(over.to_string().contains("would take more than"), "{over}");
    world.upload(&world.admin, "blog/a", 1, 6).await.unwrap();
    let first = registry::begin_upload(&world.ops, &world.admin, &name("blog/b")).await.unwrap();
    let second = registry::begin_upload(&world.ops, &world.admin, &name("blog/b")).await;
    assert!(matches!(second, Err(Error::Conflict(_))), "{second:?}");
    // One that was broken off makes room after a while.
    world.pass(3600);
    let third = registry::begin_upload(&world.ops, &world.admin, &name("blog/b")).await.unwrap();
    assert!(registry::upload(&world.ops, &world.admin, &name("blog/b"), first.id).await.is_err());
    registry::cancel_upload(&world.ops, &world.admin, &name("blog/b"), third.id).await.unwrap();
    assert!(
        world.upload(&world.admin, "blog/c", 1, 1).await.unwrap_err().to_string().contains("2 repositories")
    );
    world.put("blog/a", new(digest(10)), &["1", "2"]).await.unwrap();
    assert!(world.put("blog/a", new(digest(10)), &["3"]).await.is_err(), "a third tag");
    world.put("blog/a", new(digest(11)), &["2"]).await.unwrap();
    assert!(world.put("blog/a", new(digest(12)), &["2"]).await.is_err(), "a third manifest");
}

#[tokio::test]
async fn what_nothing_refers_to_goes_after_the_grace() {
    let world = World::new().await;
    world.app("blog").await;
    for blob in 1..=4 {
        world.upload(&world.admin, "blog/web", blob, 5).await.unwrap();
    }
    let with = |of: u8, blobs: &[u8]| NewManifest {
        blobs: blobs.iter().map(|byte| digest(*byte)).collect(),
        ..new(digest(of))
    };
    // 10 and 11 are the images of an index, 12 is about the index; 13 loses its tag to 14.
    world.put("blog/web", with(10, &[1]), &[]).await.unwrap();
    world.put("blog/web", with(11, &[2]), &[]).await.unwrap();
    let index = NewManifest { manifests: vec![digest(10), digest(11)], ..new(digest(20)) };
    world.put("blog/web", index, &["latest"]).await.unwrap();
    world.put("blog/web", NewManifest { subject: Some(digest(20)), ..with(12, &[]) }, &[]).await.unwrap();
    world.put("blog/web", with(13, &[3]), &["old"]).await.unwrap();
    let pending = registry::begin_upload(&world.ops, &world.admin, &name("blog/web")).await.unwrap();
    world.pass(2 * 86_400);
    world.put("blog/web", with(14, &[]), &["old"]).await.unwrap();
    registry::begin_upload(&world.ops, &world.admin, &name("blog/web")).await.unwrap();

    let all = [10, 11, 12, 13, 14, 20];
    let swept = registry::sweep(&world.ops, DAY).await.unwrap();
    // Blob 4 is of no manifest. 13 lost its tag just now.
    assert_eq!(swept, Swept { blobs: 1, uploads: 1, ..Swept::default() });
    assert_eq!(world.manifests("blog/web", &all).await, all);
    let error = registry::upload(&world.ops, &world.admin, &name("blog/web"), pending.id).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { resource: "upload", .. }));

    world.pass(2 * 86_400);
    let swept = registry::sweep(&world.ops, DAY).await.unwrap();
    assert_eq!(swept, Swept { manifests: 1, blobs: 1, uploads: 1, ..Swept::default() });
    assert_eq!(world.manifests("blog/web", &all).await, [10, 11, 12, 14, 20]);

    registry::delete_tag(&world.ops, &world.admin, &name("blog/web"), &tag("latest")).await.unwrap();
    registry::delete_tag(&world.ops, &world.admin, &name("blog/web"), &tag("old")).await.unwrap();
    assert_eq!(registry::sweep(&world.ops, DAY).await.unwrap(), Swept::default());
    world.pass(2 * 86_400);
    let swept = registry::sweep(&world.ops, DAY).await.unwrap();
    assert_eq!(swept, Swept { manifests: 5, blobs: 2, uploads: 0, repositories: 1 });
    let mut tx = world.ops.store().read().await.unwrap();
    assert!(store::registry::digests(&mut tx).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_repository_goes_where_its_app_goes() {
    let world = World::new().await;
    world.app("blog").await;
    world.upload(&world.admin, "blog/web", 1, 5).await.unwrap();
    world
        .put("blog/web", NewManifest { blobs: vec![digest(1)], ..new(digest(10)) }, &["latest"])
        .await
        .unwrap();
    let rename = crate::apps::Update { name: Some("journal".into()), ..crate::apps::Update::default() };
    crate::apps::update(&world.ops, &world.admin, "blog", rename).await.unwrap();
    assert_eq!(world.tags_of("journal/web").await, ["latest"]);
    assert!(registry::tags(&world.ops, &world.admin, &name("blog/web"), None, 1).await.is_err());
    crate::apps::destroy(&world.ops, &world.admin, "journal").await.unwrap();
    let mut tx = world.ops.store().read().await.unwrap();
    assert!(store::registry::digests(&mut tx).await.unwrap().is_empty());
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    world.app("blog").await;
    let tags: Vec<String> = (0..25).map(|number| format!("v{number:02}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    world.put("blog", new(digest(1)), &tags).await.unwrap();
    let page = async |last: Option<&str>, limit| {
        let page = registry::tags(&world.ops, &world.admin, &name("blog"), last, limit).await.unwrap();
        page.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, ["v00", "v01"]);
    assert_eq!(page(Some("v22"), 10).await, ["v23", "v24"]);
    assert!(page(None, 0).await.is_empty());
    for (byte, kind) in [(2, "a"), (3, "b"), (4, "a")] {
        let about =
            NewManifest { subject: Some(digest(1)), artifact_type: Some(kind.into()), ..new(digest(byte)) };
        world.put("blog", about, &[]).await.unwrap();
    }
    let referrers = async |kind: Option<&str>, last: Option<u8>| {
        let last = last.map(digest);
        let (name, subject) = (name("blog"), digest(1));
        registry::referrers(&world.ops, &world.admin, &name, &subject, kind, last.as_ref(), 10)
            .await
            .unwrap()
            .into_iter()
            .map(|one| one.digest)
            .collect::<Vec<_>>()
    };
    assert_eq!(referrers(None, None).await, [2, 3, 4].map(digest));
    assert_eq!(referrers(Some("a"), None).await, [2, 4].map(digest));
    assert_eq!(referrers(None, Some(2)).await, [3, 4].map(digest));
}
