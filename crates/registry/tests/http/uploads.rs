//! Blobs on their way in and out.

use crate::fixture::{World, digest_of};
use axum::body::Body;
use http::Method;

const CONTENT: &str = "a layer, as far as a registry is concerned";

async fn is_there(world: &World, repository: &str) {
    let blob = format!("/v2/{repository}/blobs/{}", digest_of(CONTENT.as_bytes()));
    let answer = world.get(&blob).await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, CONTENT.as_bytes()));
    assert_eq!(answer.header("docker-content-digest"), digest_of(CONTENT.as_bytes()));
    let head = world.head(&blob).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), CONTENT.len().to_string());
}

#[tokio::test]
async fn in_one_request_or_two() {
    let world = World::with_app().await;
    let digest = digest_of(CONTENT.as_bytes());
    let answer =
        world.ask(Method::POST, &format!("/v2/blog/a/blobs/uploads/?digest={digest}"), &[], CONTENT).await;
    assert_eq!(answer.told(), "201");
    assert_eq!(answer.header("location"), format!("/v2/blog/a/blobs/{digest}"));
    is_there(&world, "blog/a").await;

    let begun = world.post("/v2/blog/b/blobs/uploads/").await;
    assert_eq!((begun.told().as_str(), begun.header("range")), ("202", "0-0"));
    let place = begun.header("location");
    assert!(place.ends_with(begun.header("docker-upload-uuid")), "{place}");
    let answer = world.ask(Method::PUT, &format!("{place}?digest={digest}"), &[], CONTENT).await;
    assert_eq!(answer.told(), "201");
    is_there(&world, "blog/b").await;
    assert_eq!(world.files(), (1, 0));
    assert_eq!(world.get(place).await.told(), "404 BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn in_chunks_and_over_a_restart() {
    let mut world = World::with_app().await;
    let place = world.post("/v2/blog/web/blobs/uploads/").await.header("location").to_owned();
    let chunks = [&CONTENT[..10], &CONTENT[10..20], &CONTENT[20..]];
    let mut sent = 0;
    for (number, chunk) in chunks.into_iter().enumerate() {
        let range = format!("{sent}-{}", sent + chunk.len() - 1);
        let answer = world.ask(Method::PATCH, &place, &[("content-range", &range)], chunk).await;
        sent += chunk.len();
        assert_eq!((answer.told().as_str(), answer.header("range")), ("202", &*format!("0-{}", sent - 1)));
        if number == 0 {
            world = world.restart().await;
            let status = world.get(&place).await;
            assert_eq!((status.told().as_str(), status.header("range")), ("204", "0-9"));
            assert_eq!(status.header("location"), place);
        }
        if number == 1 {
            // Out of turn: where it goes on is told.
            for wrong in ["0-3", "10-19", "21-30"] {
                let answer = world.ask(Method::PATCH, &place, &[("content-range", wrong)], "xxxx").await;
                assert_eq!((answer.told().as_str(), answer.header("range")), ("416 RANGE_INVALID", "0-19"));
            }
        }
    }
    let whole = format!("{place}?digest={}", digest_of(CONTENT.as_bytes()));
    assert_eq!(world.ask(Method::PUT, &whole, &[], Body::empty()).await.told(), "201");
    is_there(&world, "blog/web").await;
}

#[tokio::test]
async fn as_docker_does_with_one_piece_and_no_range() {
    let world = World::with_app().await;
    let place = world.post("/v2/blog/web/blobs/uploads/").await.header("location").to_owned();
    let sent = world.ask(Method::PATCH, &place, &[], CONTENT).await;
    assert_eq!(sent.told(), "202");
    let whole = format!("{}?digest={}", sent.header("location"), digest_of(CONTENT.as_bytes()));
    assert_eq!(world.ask(Method::PUT, &whole, &[], Body::empty()).await.told(), "201");
    is_there(&world, "blog/web").await;
}

#[tokio::test]
async fn what_breaks_off_can_go_on() {
    let world = World::with_app().await;
    let place = world.post("/v2/blog/web/blobs/uploads/").await.header("location").to_owned();
    let broken = futures_util::stream::iter([
        Ok(bytes::Bytes::from_static(&CONTENT.as_bytes()[..7])),
        Err(std::io::Error::other("the client has gone")),
    ]);
    let answer = world.ask(Method::PATCH, &place, &[], Body::from_stream(broken)).await;
    assert!(!answer.status.is_success());
    assert_eq!(world.get(&place).await.header("range"), "0-6");
    let rest = format!("7-{}", CONTENT.len() - 1);
    let answer = world.ask(Method::PATCH, &place, &[("content-range", &rest)], &CONTENT[7..]).await;
    assert_eq!(answer.told(), "202");
    let whole = format!("{place}?digest={}", digest_of(CONTENT.as_bytes()));
    assert_eq!(world.ask(Method::PUT, &whole, &[], Body::empty()).await.told(), "201");
    is_there(&world, "blog/web").await;
}

#[tokio::test]
async fn from_another_repository() {
    let world = World::with_app().await;
    let digest = world.blob("blog/web", CONTENT).await;
    for query in [format!("mount={digest}&from=blog/web"), format!("mount={digest}")] {
        let answer = world.post(&format!("/v2/blog/worker/blobs/uploads/?{query}")).await;
        assert_eq!(answer.told(), "201");
        assert_eq!(answer.header("location"), format!("/v2/blog/worker/blobs/{digest}"));
        is_there(&world, "blog/worker").await;
        assert_eq!(world.delete(&format!("/v2/blog/worker/blobs/{digest}")).await.told(), "202");
    }
    // What cannot be had from there is uploaded.
    let other = digest_of(b"other");
    for query in [
        format!("mount={other}&from=blog/web"),
        format!("mount={digest}&from=nobodys/app"),
        format!("mount={digest}&from=library/Ubuntu"),
        "mount=sha256:abc&from=blog/web".to_owned(),
        "mount=nonsense".to_owned(),
    ] {
        let answer = world.post(&format!("/v2/blog/worker/blobs/uploads/?{query}")).await;
        assert_eq!(answer.told(), "202", "{query}");
        assert_eq!(world.delete(answer.header("location")).await.told(), "204");
    }
    assert_eq!(world.files(), (1, 0));
}

#[tokio::test]
async fn parts_of_a_blob() {
    let world = World::with_app().await;
    let digest = world.blob("blog", "0123456789").await;
    let path = format!("/v2/blog/blobs/{digest}");
    for (range, body, told) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
    ] {
        let answer = world.ask(Method::GET, &path, &[("range", range)], Body::empty()).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (206, body.as_bytes()), "{range}");
        assert_eq!(answer.header("content-range"), told);
    }
    let answer = world.ask(Method::GET, &path, &[("range", "bytes=10-")], Body::empty()).await;
    assert_eq!((answer.told().as_str(), answer.header("content-range")), ("416 RANGE_INVALID", "bytes */10"));
    let empty = world.blob("blog", "").await;
    assert_eq!(world.get(&format!("/v2/blog/blobs/{empty}")).await.told(), "200");
}
