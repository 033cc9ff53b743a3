//! Requests that wait for a dyno, and dynos that are passed over.

use crate::support::{HELLO, TestRouter, answering, nobody, ready, until};
use domain::route::Backends;

#[tokio::test]
async fn a_held_request_goes_to_the_dyno_that_comes_up() {
    let router = TestRouter::with(Backends::Starting, |_| {});
    let mut get = router.connect().await;
    get.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    let mut post = router.connect().await;
    post.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\n\r\nabc").await;
    until(|| !router.wakes.lock().unwrap().is_empty()).await;
    router.publish(Backends::Starting);
    router.publish(ready(&[answering(HELLO).await]));
    assert_eq!(get.reply().await.status, 200);
    assert_eq!(post.reply().await.status, 200);
}

#[tokio::test]
async fn a_router_without_a_table_waits_for_one() {
    let router = TestRouter::start(|_| {});
    let mut known = router.connect().await;
    known.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    let mut unknown = router.connect().await;
    unknown.send("GET / HTTP/1.1\r\nHost: other.localhost\r\n\r\n").await;
    // Both are read before the table comes, as far as a client can bring that about.
    until(|| router.metrics.connections() == 2).await;
    assert_eq!(router.metrics.requests(), 0);
    router.publish(ready(&[answering(HELLO).await]));
    assert_eq!(known.reply().await.status, 200);
    assert_eq!(unknown.reply().await.status, 404);
}

#[tokio::test]
async fn a_held_request_learns_that_the_app_crashed() {
    let router = TestRouter::with(Backends::Starting, |_| {});
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    until(|| !router.wakes.lock().unwrap().is_empty()).await;
    router.publish(Backends::Crashed);
    assert_eq!(client.reply().await.status, 503);
    assert!(router.line().await.contains("code=H10"));
}

#[tokio::test]
async fn a_dead_dyno_is_passed_over() {
    let router = TestRouter::with(ready(&[nobody().await, answering(HELLO).await]), |_| {});
    for number in 0..20 {
        let body = "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\n\r\nabc";
        let reply = if number % 2 == 0 { router.get().await } else { router.ask(body).await };
        assert_eq!(reply.status, 200);
        assert!(router.line().await.contains(" dyno=web.2 "));
    }
}

#[tokio::test]
async fn a_request_tries_so_many_dynos_and_no_more() {
    let dead = [nobody().await, nobody().await, nobody().await];
    let router = TestRouter::with(ready(&dead), |config| config.limits.connect_attempts = 2);
    assert_eq!(router.get().await.status, 503);
    assert!(router.line().await.contains("code=H21"));
    let mut registry = prometheus_client::registry::Registry::default();
    router.metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("router_dials_total 2\n"), "{text}");
}

#[tokio::test]
async fn a_quarantine_ends() {
    let router = TestRouter::with(ready(&[nobody().await]), |config| {
        config.timeouts.quarantine = std::time::Duration::from_millis(100);
    });
    for _ in 0..3 {
        // The second and third wait for the quarantine to end, and then find the same.
        assert_eq!(router.get().await.status, 503);
        assert!(router.line().await.contains("code=H21"));
    }
}

#[tokio::test]
async fn both_dynos_serve_in_turn_by_chance() {
    let one = answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none").await;
    let two = answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo").await;
    let router = TestRouter::with(ready(&[one, two]), |_| {});
    let mut seen = std::collections::HashMap::new();
    for _ in 0..64 {
        *seen.entry(router.get().await.body).or_insert(0) += 1;
    }
    // One of them staying unseen has a chance of 2^-63.
    assert_eq!(seen.len(), 2, "{seen:?}");
}
