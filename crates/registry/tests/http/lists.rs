//! Tags and referrers, in pages.

use crate::fixture::{OCI, World, descriptor, digest_of};
use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

/// Follows a list's pages to the end.
async fn pages(world: &World, first: &str, key: &str) -> (Vec<Value>, usize) {
    let (mut all, mut count, mut next) = (Vec::new(), 0, Some(first.to_owned()));
    while let Some(path) = next {
        let answer = world.get(&path).await;
        assert_eq!(answer.status.as_u16(), 200);
        all.extend(answer.json()[key].as_array().unwrap().iter().cloned());
        count += 1;
        let link = answer.header("link");
        next = link.strip_prefix('<').map(|rest| {
            let (path, relation) = rest.split_once('>').unwrap();
            assert_eq!(relation, "; rel=\"next\"");
            path.to_owned()
        });
    }
    (all, count)
}

#[tokio::test]
async fn thousands_of_tags() {
    let world = World::with_app().await;
    let manifest = world.image("blog", "first", &[]).await;
    let digest = digest_of(manifest.to_string().as_bytes());
    for batch in 0..125 {
        let tags: Vec<_> = (0..20).map(|number| format!("tag=t{:04}", batch * 20 + number)).collect();
        assert_eq!(
            world.put_manifest("blog", &format!("{digest}?{}", tags.join("&")), &manifest).await.told(),
            "201"
        );
    }
    let (all, count) = pages(&world, "/v2/blog/tags/list", "tags").await;
    assert_eq!((all.len(), count), (2501, 3));
    assert!(all.is_sorted_by_key(|tag| tag.as_str().unwrap().to_owned()));
    let (some, count) = pages(&world, "/v2/blog/tags/list?n=500&last=t0499", "tags").await;
    assert_eq!((some.len(), count, some[0].as_str()), (2000, 4, Some("t0500")));
    let none = world.get("/v2/blog/tags/list?n=0").await;
    assert_eq!((none.json()["tags"].clone(), none.header("link")), (json!([]), ""));
    let two = world.get("/v2/blog/tags/list?n=2").await;
    assert_eq!(two.json(), json!({ "name": "blog", "tags": ["first", "t0000"] }));
    assert_eq!(world.get("/v2/blog/tags/list?n=x").await.told(), "400 PAGINATION_NUMBER_INVALID");
}

#[tokio::test]
async fn referrers_by_kind() {
    let world = World::with_app().await;
    let image = world.image("blog", "latest", &[]).await;
    let subject = digest_of(image.to_string().as_bytes());
    let config = world.blob("blog", "{}").await;
    for number in 0..130 {
        let mut about = json!({
            "schemaVersion": 2,
            "config": descriptor(&config, "application/x.config"),
            "layers": [],
            "subject": descriptor(&subject, OCI),
            "annotations": { "number": number.to_string() },
        });
        if number % 2 == 0 {
            about["artifactType"] = json!("application/x.sbom");
        }
        let reference = digest_of(about.to_string().as_bytes());
        assert_eq!(world.put_manifest("blog", &reference, &about).await.told(), "201");
    }
    let path = format!("/v2/blog/referrers/{subject}");
    let (all, count) = pages(&world, &path, "manifests").await;
    assert_eq!((all.len(), count), (130, 2));
    let answer =
        world.ask(Method::GET, &format!("{path}?artifactType=application/x.sbom"), &[], Body::empty()).await;
    assert_eq!(answer.header("content-type"), "application/vnd.oci.image.index.v1+json");
    assert_eq!(answer.header("oci-filters-applied"), "artifactType");
    let list = answer.json()["manifests"].as_array().unwrap().clone();
    assert_eq!(list.len(), 65);
    for one in list {
        assert_eq!((&one["artifactType"], &one["mediaType"]), (&json!("application/x.sbom"), &json!(OCI)));
        assert!(one["annotations"]["number"].as_str().unwrap().parse::<u32>().unwrap() % 2 == 0);
    }
    // Nothing is about it, or it is not there at all.
    for path in
        [format!("/v2/blog/referrers/{}", digest_of(b"x")), format!("/v2/blog/new/referrers/{subject}")]
    {
        assert_eq!(world.get(&path).await.json()["manifests"], json!([]));
    }
}
