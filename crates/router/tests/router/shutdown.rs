//! The end of the router.

use crate::support::{Client, HELLO, TestRouter, answering, dyno, ready, soon, until, web};
use domain::route::Backends;
use router::Config;
use std::time::Duration;

#[tokio::test]
async fn open_requests_end_and_new_ones_are_refused() {
    let (release, released) = tokio::sync::watch::channel(false);
    let slow = dyno(move |mut client: Client| {
        let mut released = released.clone();
        async move {
            client.request().await;
            released.wait_for(|go| *go).await.unwrap();
            client.send(HELLO).await;
        }
    });
    let slow = web(1, slow.await);
    let mut router = TestRouter::with(Backends::Ready(vec![slow.clone()]), |_| {});
    let mut idle = router.connect().await;
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    until(|| router.routes.in_flight(slow.dyno).requests == 1).await;
    router.stop();
    idle.closed().await;
    until(|| std::net::TcpStream::connect(router.address).is_err()).await;
    release.send(true).unwrap();
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    // Whether the reply says so depends on whether this connection had heard of the end by then.
    client.closed().await;
    router.stopped().await;
}

#[tokio::test]
async fn h24_for_what_does_not_end() {
    let (asked, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let silent = dyno(move |mut client: Client| {
        let asked = asked.clone();
        async move {
            client.head().await;
            asked.send(()).unwrap();
            client.closed().await;
        }
    });
    let mut router = TestRouter::with(ready(&[silent.await]), |config| {
        config.timeouts.shutdown = Duration::from_millis(100);
    });
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    soon(heard.recv()).await.unwrap();
    router.stop();
    client.closed().await;
    router.stopped().await;
    let line = router.line().await;
    assert!(line.starts_with("at=error code=H24 desc=\"Forced close\" "), "{line}");
    assert!(line.contains(" status= "), "{line}");
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    let router = TestRouter::with(ready(&[answering(HELLO).await]), |_| {});
    let config = Config { listen: vec![router.address], ..Config::default() };
    let error = config.bind().map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {}", router.address));
}
