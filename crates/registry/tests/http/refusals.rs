//! Who gets nothing, and what is too much.

use crate::fixture::{BLOB_LIMIT, OCI, World, descriptor, digest_of};
use axum::body::Body;
use http::Method;
use serde_json::json;

#[tokio::test]
async fn nobody_in_particular() {
    let world = World::with_app().await;
    for token in [None, Some(""), Some("KIGO-wrong")] {
        for path in ["/v2/", "/v2", "/v2/blog/tags/list", "/v2/nothing/tags/list", "/v2/Nonsense"] {
            let answer = world.ask_as(token, Method::GET, path, &[], Body::empty()).await;
            assert_eq!(answer.told(), "401 UNAUTHORIZED", "{path}");
            assert_eq!(answer.header("www-authenticate"), "Basic realm=\"Kigo\"");
            assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
        }
    }
    assert_eq!(world.get("/v2/").await.told(), "200");
    assert_eq!(world.post("/v2/").await.told(), "405 UNSUPPORTED");
}

#[tokio::test]
async fn who_may_read_only() {
    let world = World::with_app().await;
    world.image("blog/web", "latest", &["layer"]).await;
    let reader = world.token(&["read"]).await;
    let ask = |method: Method, path: &'static str| {
        let (world, reader) = (&world, &reader);
        async move { world.ask_as(Some(reader), method, path, &[], Body::empty()).await.told() }
    };
    assert_eq!(ask(Method::GET, "/v2/blog/web/manifests/latest").await, "200");
    for (method, path) in [
        (Method::POST, "/v2/blog/web/blobs/uploads/"),
        (Method::DELETE, "/v2/blog/web/manifests/latest"),
        (
            Method::DELETE,
            "/v2/blog/web/blobs/sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        ),
    ] {
        assert_eq!(ask(method, path).await, "403 DENIED", "{path}");
    }
    let files = world.files();
    let manifest = r#"{"schemaVersion":2,"config":{"digest":"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}}"#;
    let put = world.ask_as(Some(&reader), Method::PUT, "/v2/blog/web/manifests/v2", &[], manifest).await;
    assert_eq!(put.told(), "403 DENIED");
    assert_eq!(world.files(), files, "nothing is kept of what is refused");
    let identity = world.token(&["identity"]).await;
    for path in ["/v2/", "/v2/blog/web/manifests/latest"] {
        let answer = world.ask_as(Some(&identity), Method::GET, path, &[], Body::empty()).await;
        assert_eq!(answer.told(), "403 DENIED", "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there() {
    let world = World::with_app().await;
    world.blob("blog/web", "x").await;
    let digest = digest_of(b"y");
    for (path, told) in [
        ("/v2/nothing/tags/list".to_owned(), "404 NAME_UNKNOWN"),
        ("/v2/blog/tags/list".to_owned(), "404 NAME_UNKNOWN"),
        ("/v2/blog/web/manifests/latest".to_owned(), "404 MANIFEST_UNKNOWN"),
        (format!("/v2/blog/web/blobs/{digest}"), "404 BLOB_UNKNOWN"),
        (
            "/v2/blog/web/blobs/uploads/00000000-0000-4000-8000-000000000000".to_owned(),
            "404 BLOB_UPLOAD_UNKNOWN",
        ),
        ("/v2/blog/web/nonsense".to_owned(), "404 NOT_FOUND"),
        ("/v2/_catalog".to_owned(), "404 NOT_FOUND"),
        ("/v2/Blog/tags/list".to_owned(), "400 NAME_INVALID"),
        ("/v2/blog/%2e%2e/tags/list".to_owned(), "400 NAME_INVALID"),
        ("/v2/blog/web/blobs/sha256:x".to_owned(), "400 DIGEST_INVALID"),
    ] {
        assert_eq!(world.get(&path).await.told(), told, "{path}");
    }
    assert_eq!(world.post("/v2/nothing/blobs/uploads/").await.told(), "404 NAME_UNKNOWN");
    assert_eq!(world.ask(Method::PATCH, "/v2/blog/tags/list", &[], "").await.told(), "405 UNSUPPORTED");
}

#[tokio::test]
async fn content_that_is_not_what_was_announced_leaves_nothing() {
    let world = World::with_app().await;
    let digest = digest_of(b"right");
    let whole = format!("/v2/blog/blobs/uploads/?digest={digest}");
    assert_eq!(world.ask(Method::POST, &whole, &[], "wrong").await.told(), "400 DIGEST_INVALID");
    let place = world.post("/v2/blog/blobs/uploads/").await.header("location").to_owned();
    let ended = world.ask(Method::PUT, &format!("{place}?digest={digest}"), &[], "wrong").await;
    assert_eq!(ended.told(), "400 DIGEST_INVALID");
    assert_eq!(world.get(&place).await.told(), "404 BLOB_UPLOAD_UNKNOWN");
    assert_eq!(world.files(), (0, 0));
    for query in ["", "?digest=md5:x", "?digest=sha256:x"] {
        let place = world.post("/v2/blog/blobs/uploads/").await.header("location").to_owned();
        assert_eq!(
            world.ask(Method::PUT, &format!("{place}{query}"), &[], "x").await.told(),
            "400 DIGEST_INVALID"
        );
    }
    let sha512 = world.post("/v2/blog/blobs/uploads/?digest-algorithm=sha512").await;
    assert_eq!(sha512.told(), "400 DIGEST_INVALID");
}

#[tokio::test]
async fn a_blob_has_a_limit_however_it_comes() {
    let world = World::with_app().await;
    let large = vec![7; BLOB_LIMIT as usize + 1];
    let digest = digest_of(&large);
    let whole = format!("/v2/blog/blobs/uploads/?digest={digest}");
    assert_eq!(world.ask(Method::POST, &whole, &[], large.clone()).await.told(), "413 SIZE_INVALID");
    assert_eq!(world.files(), (0, 0), "nobody was told of an upload to go on with");
    let place = world.post("/v2/blog/blobs/uploads/").await.header("location").to_owned();
    assert_eq!(world.ask(Method::PATCH, &place, &[], large[..1000].to_vec()).await.told(), "202");
    assert_eq!(
        world.ask(Method::PATCH, &place, &[], large[1000..].to_vec()).await.told(),
        "413 SIZE_INVALID"
    );
    // An endless body is left alone as soon as it is too much.
    let endless =
        futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![0; 65536])));
    let answer = world.ask(Method::PATCH, &place, &[], Body::from_stream(endless)).await;
    assert_eq!(answer.told(), "413 SIZE_INVALID");
    assert_eq!(world.delete(&place).await.told(), "204");
    assert_eq!(world.files(), (0, 0));
}

#[tokio::test]
async fn an_app_has_a_limit_which_nothing_gets_around() {
    let world = World::with_room(1000).await;
    let uploads = "/v2/blog/blobs/uploads/";
    let small = digest_of(&[1; 600]);
    let whole = |digest: &str| format!("{uploads}?digest={digest}");
    assert_eq!(world.ask(Method::POST, &whole(&small), &[], vec![1; 600]).await.told(), "201");

    // What is announced, and what is not, is refused before it is kept.
    let large = digest_of(&[2; 600]);
    let refused = world.ask(Method::POST, &whole(&large), &[], vec![2; 600]).await;
    assert_eq!(refused.told(), "403 DENIED");
    let message = refused.json()["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("would take more than") && message.contains("Delete images"), "{message}");
    assert_eq!(world.files(), (1, 0));
    let endless =
        || futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![0; 100])));
    let first = world.post(uploads).await.header("location").to_owned();
    assert_eq!(
        world.ask(Method::PATCH, &first, &[], Body::from_stream(endless())).await.told(),
        "403 DENIED"
    );
    let kept = |range: &str| range.split_once('-').unwrap().1.parse::<u64>().unwrap() + 1;
    assert_eq!(kept(world.get(&first).await.header("range")), 400, "what there was room for");
    // It takes the room as long as it is not over.
    let second = world.post(uploads).await.header("location").to_owned();
    assert_eq!(world.ask(Method::PATCH, &second, &[], "x").await.told(), "403 DENIED");
    assert_eq!(world.delete(&first).await.told(), "204");
    assert_eq!(world.ask(Method::PATCH, &second, &[], "x").await.told(), "202");

    // Mounted in another repository it takes room there, too; where it is, none.
    let mount = format!("/v2/blog/web/blobs/uploads/?mount={small}&from=blog");
    assert_eq!(world.post(&mount).await.told(), "403 DENIED");
    assert_eq!(world.post(&format!("{uploads}?mount={small}&from=blog")).await.told(), "201");

    // Manifests count.
    let config = world.blob("blog", "{}").await;
    let manifest = |padding: usize| {
        json!({
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": descriptor(&config, "application/vnd.oci.image.config.v1+json"),
            "layers": [],
            "annotations": {"padding": "x".repeat(padding)},
        })
    };
    let blobs = world.files().0;
    assert_eq!(world.put_manifest("blog", "large", &manifest(400)).await.told(), "403 DENIED");
    assert_eq!(world.files().0, blobs, "it was not kept");
    assert_eq!(world.put_manifest("blog", "fits", &manifest(10)).await.told(), "201");
    assert_eq!(world.put_manifest("blog", "other", &manifest(11)).await.told(), "403 DENIED");
    assert_eq!(world.put_manifest("blog", "again", &manifest(10)).await.told(), "201");
}
