//! Manifests, by tag and by digest.

use crate::fixture::{OCI, World, descriptor, digest_of};
use axum::body::Body;
use http::Method;
use serde_json::json;

#[tokio::test]
async fn come_back_byte_for_byte() {
    let world = World::with_app().await;
    let config = world.blob("blog/web", "{}").await;
    // Nobody would write it like this twice.
    let text = format!(
        "{{ \"schemaVersion\" :2,\n\t\"config\":{}, \"layers\": [],\"extra\":1.50}}\n",
        descriptor(&config, "application/vnd.docker.container.image.v1+json")
    );
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let put = world
        .ask(Method::PUT, "/v2/blog/web/manifests/latest", &[("content-type", docker)], text.clone())
        .await;
    let digest = digest_of(text.as_bytes());
    assert_eq!((put.told().as_str(), put.header("docker-content-digest")), ("201", digest.as_str()));
    assert_eq!(put.header("location"), format!("/v2/blog/web/manifests/{digest}"));
    for reference in ["latest", digest.as_str()] {
        let path = format!("/v2/blog/web/manifests/{reference}");
        let got = world.get(&path).await;
        assert_eq!((got.status.as_u16(), &got.body[..]), (200, text.as_bytes()));
        let head = world.head(&path).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        for answer in [got, head] {
            assert_eq!(answer.header("content-type"), docker);
            assert_eq!(answer.header("docker-content-digest"), digest);
            assert_eq!(answer.header("content-length"), text.len().to_string());
        }
    }
}

#[tokio::test]
async fn an_index_and_what_is_about_it() {
    let world = World::with_app().await;
    let one = digest_of(world.image("blog/web", "amd64", &["a"]).await.to_string().as_bytes());
    let index = "application/vnd.oci.image.index.v1+json";
    let list = json!({ "schemaVersion": 2, "mediaType": index, "manifests": [descriptor(&one, OCI)] });
    let path = "/v2/blog/web/manifests/latest";
    let put = world.ask(Method::PUT, path, &[("content-type", index)], list.to_string()).await;
    assert_eq!((put.told().as_str(), put.header("oci-subject")), ("201", ""));
    let digest = digest_of(list.to_string().as_bytes());
    assert_eq!(world.delete(&format!("/v2/blog/web/manifests/{one}")).await.told(), "405 UNSUPPORTED");

    let config = world.blob("blog/web", "{}").await;
    let about = json!({
        "schemaVersion": 2,
        "mediaType": OCI,
        "artifactType": "application/x.signature",
        "config": descriptor(&config, "application/vnd.oci.empty.v1+json"),
        "layers": [],
        "subject": descriptor(&digest, index),
    });
    let put = world.put_manifest("blog/web", &digest_of(about.to_string().as_bytes()), &about).await;
    assert_eq!((put.told().as_str(), put.header("oci-subject")), ("201", digest.as_str()));
}

#[tokio::test]
async fn tags_beside_a_digest() {
    let world = World::with_app().await;
    let manifest = world.image("blog", "first", &[]).await;
    let digest = digest_of(manifest.to_string().as_bytes());
    let put = world.put_manifest("blog", &format!("{digest}?tag=v1&tag=v1.2"), &manifest).await;
    assert_eq!(put.told(), "201");
    let told: Vec<_> = put.headers.get_all("oci-tag").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(told, ["v1", "v1.2"]);
    assert_eq!(world.get("/v2/blog/tags/list").await.json()["tags"], json!(["first", "v1", "v1.2"]));
    let many: Vec<_> = (0..21).map(|number| format!("tag=v{number}")).collect();
    let put = world.put_manifest("blog", &format!("{digest}?{}", many.join("&")), &manifest).await;
    assert_eq!(put.told(), "400 TAG_INVALID");
    assert_eq!(
        world.put_manifest("blog", &format!("{digest}?tag=.x"), &manifest).await.told(),
        "400 TAG_INVALID"
    );
}

#[tokio::test]
async fn tags_and_manifests_are_deleted_apart() {
    let world = World::with_app().await;
    let manifest = world.image("blog", "v1", &["layer"]).await;
    let digest = digest_of(manifest.to_string().as_bytes());
    world.put_manifest("blog", "v2", &manifest).await;
    let by_digest = format!("/v2/blog/manifests/{digest}");
    assert_eq!(world.delete("/v2/blog/manifests/v1").await.told(), "202");
    assert_eq!(world.get("/v2/blog/manifests/v1").await.told(), "404 MANIFEST_UNKNOWN");
    assert_eq!(world.get(&by_digest).await.told(), "200");
    let layer = format!("/v2/blog/blobs/{}", digest_of(b"layer"));
    assert_eq!(world.delete(&layer).await.told(), "405 UNSUPPORTED", "the image is made of it");
    assert_eq!(world.delete(&by_digest).await.told(), "202");
    assert_eq!(world.get("/v2/blog/manifests/v2").await.told(), "404 MANIFEST_UNKNOWN");
    assert_eq!(world.delete(&by_digest).await.told(), "404 MANIFEST_UNKNOWN");
    assert_eq!(world.delete(&layer).await.told(), "202");
    assert_eq!(world.head(&layer).await.status.as_u16(), 404);
}

#[tokio::test]
async fn what_is_none_is_refused_and_leaves_nothing() {
    let world = World::with_app().await;
    let manifest = world.image("blog", "v1", &[]).await;
    let mut missing = manifest.clone();
    missing["layers"] = json!([descriptor(&digest_of(b"missing"), "x")]);
    let other = digest_of(b"other");
    let files = world.files();
    for (reference, document, told) in [
        (other.as_str(), manifest.to_string(), "400 DIGEST_INVALID"),
        ("v2", "{".into(), "400 MANIFEST_INVALID"),
        ("v2", String::new(), "400 MANIFEST_INVALID"),
        ("v2", "[".repeat(100_000), "400 MANIFEST_INVALID"),
        ("v2", " ".repeat((4 << 20) + 1), "413 MANIFEST_INVALID"),
        (".v2", manifest.to_string(), "400 TAG_INVALID"),
        ("sha256:abc", manifest.to_string(), "400 DIGEST_INVALID"),
        // Its text goes with the next sweep.
        ("v2", missing.to_string(), "400 MANIFEST_BLOB_UNKNOWN"),
    ] {
        assert_eq!(world.files(), files, "{told}");
        let path = format!("/v2/blog/manifests/{reference}");
        let answer = world.ask(Method::PUT, &path, &[("content-type", OCI)], Body::from(document)).await;
        assert_eq!(answer.told(), told);
    }
    assert_eq!(world.get("/v2/blog/tags/list").await.json()["tags"], json!(["v1"]));
}
