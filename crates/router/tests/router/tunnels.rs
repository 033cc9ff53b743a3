//! WebSockets and other upgraded connections.

use crate::support::{Client, TestRouter, dyno, ready, soon, until, web};
use domain::route::Backends;
use router::InFlight;
use std::net::SocketAddr;
use std::time::Duration;

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A dyno that changes protocol and then echoes; `greeting` comes with the 101.
async fn echoing(greeting: &'static str) -> SocketAddr {
    dyno(move |mut client: Client| async move {
        let head = client.head().await.unwrap().to_ascii_lowercase();
        assert!(
            head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"),
            "{head}"
        );
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        client.send(&format!("{answer}{greeting}")).await;
        let (mut reader, mut writer) = client.0.split();
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    })
    .await
}

async fn opened(router: &TestRouter) -> Client {
    let mut client = router.connect().await;
    client.send(UPGRADE).await;
    let head = client.head().await.unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
    client
}

#[tokio::test]
async fn bytes_pass_both_ways_until_an_end() {
    let router = TestRouter::with(ready(&[echoing("hi").await]), |_| {});
    let mut client = opened(&router).await;
    let mut greeting = Vec::new();
    assert!(client.exactly(2, &mut greeting).await);
    assert_eq!(greeting, b"hi");
    let large = vec![7u8; 200_000];
    let (mut reader, mut writer) = client.0.into_split();
    let sending = {
        let large = large.clone();
        tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut writer, &large).await.unwrap();
            writer
        })
    };
    let mut back = vec![0; large.len()];
    soon(tokio::io::AsyncReadExt::read_exact(&mut reader, &mut back)).await.unwrap();
    assert_eq!(back, large);
    assert!(router.no_line_yet().await, "a tunnel is logged at its end");
    drop((sending.await.unwrap(), reader));
    let line = router.line().await;
    assert!(line.starts_with("at=info method=GET path=\"/ws\" "), "{line}");
    assert!(line.ends_with(" status=101 bytes=200002 protocol=http"), "{line}");
}

#[tokio::test]
async fn a_tunnel_counts_as_a_connection_until_its_end() {
    let router = TestRouter::with(ready(&[echoing("").await]), |_| {});
    let tunnel = opened(&router).await;
    assert_eq!(router.metrics.connections(), 1);
    let mut other = router.connect().await;
    other.send("GET / HTTP/1.0\r\n\r\n").await;
    other.closed().await;
    until(|| router.metrics.connections() == 1).await;
    drop(tunnel);
    until(|| router.metrics.connections() == 0).await;
}

#[tokio::test]
async fn a_tunnel_is_counted_apart_and_does_not_fill_the_backlog() {
    let backend = web(1, echoing("").await);
    let router = TestRouter::with(Backends::Ready(vec![backend.clone()]), |config| {
        config.limits.in_flight_per_dyno = 1;
    });
    let first = opened(&router).await;
    until(|| router.routes.in_flight(backend.dyno) == InFlight { requests: 0, tunnels: 1 }).await;
    let second = opened(&router).await;
    until(|| router.routes.in_flight(backend.dyno).tunnels == 2).await;
    router.publish(Backends::NoWeb);
    soon(router.routes.drained(backend.dyno)).await;
    drop((first, second));
    until(|| router.routes.in_flight(backend.dyno).tunnels == 0).await;
}

#[tokio::test]
async fn a_silent_tunnel_ends() {
    let router = TestRouter::with(ready(&[echoing("").await]), |config| {
        config.timeouts.idle = Duration::from_millis(100);
    });
    let mut client = opened(&router).await;
    client.closed().await;
    let line = router.line().await;
    assert!(line.starts_with("at=error code=H15 desc=\"Idle connection\""), "{line}");
    assert!(line.contains(" status=101 "), "{line}");
}

#[tokio::test]
async fn a_dyno_may_decline() {
    let plain = dyno(|mut client: Client| async move {
        client.head().await;
        client.send("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno").await;
        client.closed().await;
    });
    let router = TestRouter::with(ready(&[plain.await]), |_| {});
    let reply = router.ask(UPGRADE).await;
    assert_eq!((reply.status, reply.body.as_str()), (426, "no"));
}
