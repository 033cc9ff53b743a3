//! What passes through unchanged, what is changed, and what is refused at the door.

use crate::support::{Client, HELLO, TestRouter, answering, dyno, ready, soon};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A dyno that tells every request it gets and says hello.
async fn listening() -> (SocketAddr, UnboundedReceiver<(String, String)>) {
    let (sender, receiver) = unbounded_channel();
    let address = dyno(move |mut client: Client| {
        let sender = sender.clone();
        async move {
            while let Some(request) = client.request().await {
                let _ = sender.send(request);
                client.send(HELLO).await;
            }
        }
    })
    .await;
    (address, receiver)
}

/// The header's values in a raw head.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[tokio::test]
async fn the_dyno_learns_who_asked_and_how() {
    let (address, mut requests) = listening().await;
    let router = TestRouter::with(ready(&[address]), |_| {});
    let request = "GET /a?b HTTP/1.1\r\nHost: app.localhost\r\nX-Forwarded-For: 9.9.9.9\r\n\
                   X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Host: kept\r\nVia: 1.1 before\r\n\
                   X-Request-Start: 1\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers, gzip\r\n\
                   Proxy-Authorization: secret\r\nX-Own: 1\r\n\r\n";
    let reply = router.ask(request).await;
    assert_eq!((reply.status, reply.header("via")), (200, Some("1.1 kigo-router")));
    let (head, _) = soon(requests.recv()).await.unwrap();
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    let port = router.address.port().to_string();
    for (name, expected) in [
        ("host", vec!["app.localhost"]),
        ("x-forwarded-for", vec!["9.9.9.9, 127.0.0.1"]),
        ("x-forwarded-proto", vec!["http"]),
        ("x-forwarded-port", vec![port.as_str()]),
        ("x-forwarded-host", vec!["kept"]),
        ("via", vec!["1.1 before, 1.1 kigo-router"]),
        ("te", vec!["trailers"]),
        ("x-own", vec!["1"]),
        ("x-hop", vec![]),
        ("keep-alive", vec![]),
        ("connection", vec![]),
        ("proxy-authorization", vec![]),
    ] {
        assert_eq!(values(&head, name), expected, "{name}");
    }
    let started: u128 = values(&head, "x-request-start")[0].parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert!(started <= now && now - started < 60_000);
    let id = values(&head, "x-request-id")[0];
    assert!(router.line().await.contains(&format!(" request_id={id} ")));
    assert_eq!(reply.header("x-request-id"), None, "the router adds none to a response");
}

#[tokio::test]
async fn what_a_trusted_proxy_says_reaches_the_dyno_and_the_log() {
    for (network, protocol, port) in [("127.0.0.0/8", "https", Some("443")), ("192.0.2.0/24", "http", None)] {
        let (address, mut requests) = listening().await;
        let router = TestRouter::with(ready(&[address]), |config| {
            config.trusted_proxies = vec!["::1/128".parse().unwrap(), network.parse().unwrap()];
        });
        let forwarded = "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n";
        let reply = router.ask(&format!("GET / HTTP/1.1\r\nHost: app.localhost\r\n{forwarded}\r\n")).await;
        assert_eq!(reply.status, 200);
        let (head, _) = soon(requests.recv()).await.unwrap();
        let own = router.address.port().to_string();
        assert_eq!(values(&head, "x-forwarded-proto"), [protocol]);
        assert_eq!(values(&head, "x-forwarded-port"), [port.unwrap_or(&own)]);
        assert_eq!(values(&head, "x-forwarded-for"), ["9.9.9.9, 127.0.0.1"]);
        let line = router.line().await;
        assert!(line.contains(" fwd=\"9.9.9.9, 127.0.0.1\" "), "{line}");
        assert!(line.ends_with(&format!(" protocol={protocol}")), "{line}");
    }
}

#[tokio::test]
async fn bodies_pass_both_ways_with_their_framing() {
    let (address, mut requests) = listening().await;
    let router = TestRouter::with(ready(&[address]), |_| {});
    let host = "Host: app.localhost\r\n";
    for (request, body, framing) in [
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\nabc"), "abc", "content-length: 3"),
        (
            format!(
                "PUT / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
            ),
            "abc",
            "transfer-encoding: chunked",
        ),
        (
            format!("GET / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            "abc",
            "transfer-encoding: chunked",
        ),
        (format!("DELETE / HTTP/1.0\r\n{host}Content-Length: 2\r\n\r\nab"), "ab", "content-length: 2"),
    ] {
        let reply = router.ask(&request).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
        let (head, got) = soon(requests.recv()).await.unwrap();
        assert_eq!(got, body);
        assert!(head.to_ascii_lowercase().contains(framing), "{head}");
    }
}

#[tokio::test]
async fn responses_keep_their_kind() {
    for (answer, method, status, body) in [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "GET", 200, "abc"),
        ("HTTP/1.0 200 OK\r\n\r\nto the end", "GET", 200, "to the end"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "GET", 204, ""),
        ("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", "GET", 304, ""),
        // What has no body says nothing of a length that could be taken for one.
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "GET", 204, ""),
        ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET", 204, ""),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", 304, ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 00\r\n\r\n", "GET", 200, ""),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", 200, ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", 200, ""),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "GET",
            200,
            "ok",
        ),
        ("HTTP/1.1 599 Own Words\r\nContent-Length: 2\r\n\r\nno", "GET", 599, "no"),
    ] {
        let once = dyno(move |mut client| async move {
            client.request().await;
            client.send(answer).await;
        });
        let router = TestRouter::with(ready(&[once.await]), |_| {});
        let mut client = router.connect().await;
        client
            .send(&format!("{method} / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n"))
            .await;
        let head = client.head().await.unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert!(matches!(status, 200 | 599) || values(&head, "content-length").is_empty(), "{head}");
        let mut rest = Vec::new();
        soon(AsyncReadExt::read_to_end(&mut client.0, &mut rest)).await.unwrap();
        let rest = String::from_utf8(rest).unwrap();
        if head.to_ascii_lowercase().contains("chunked") {
            assert_eq!(rest, format!("{:X}\r\n{body}\r\n0\r\n\r\n", body.len()));
        } else {
            assert_eq!(rest, body);
        }
        assert!(router.line().await.contains(&format!(" status={status} bytes={} ", body.len())));
    }
}

#[tokio::test]
async fn a_stream_is_passed_on_piece_by_piece() {
    let (to_dyno, mut go) = unbounded_channel::<()>();
    let go_on =
        std::sync::Arc::new(tokio::sync::Mutex::new(std::mem::replace(&mut go, unbounded_channel().1)));
    let events = dyno(move |mut client| {
        let go_on = go_on.clone();
        async move {
            client.request().await;
            client.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await;
            let mut go_on = go_on.lock().await;
            while go_on.recv().await.is_some() {
                client.send("data: x\n\n").await;
            }
        }
    });
    let router = TestRouter::with(ready(&[events.await]), |_| {});
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    client.head().await.unwrap();
    for _ in 0..3 {
        to_dyno.send(()).unwrap();
        let mut chunk = Vec::new();
        assert!(client.exactly("9\r\ndata: x\n\n\r\n".len(), &mut chunk).await);
        assert_eq!(chunk, b"9\r\ndata: x\n\n\r\n");
    }
    drop(to_dyno);
    let mut end = Vec::new();
    assert!(client.exactly(5, &mut end).await);
    assert_eq!(end, b"0\r\n\r\n");
}

#[tokio::test]
async fn a_body_streams_while_the_answer_does() {
    // A dyno that echoes each byte when it comes.
    let echo = dyno(|mut client| async move {
        client.head().await;
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").await;
        for _ in 0..3 {
            let mut byte = Vec::new();
            assert!(client.exactly(1, &mut byte).await);
            client.send_bytes(&byte).await;
        }
    });
    let router = TestRouter::with(ready(&[echo.await]), |_| {});
    let mut client = router.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\n\r\n").await;
    client.head().await.unwrap();
    for byte in ["a", "b", "c"] {
        client.send(byte).await;
        let mut back = Vec::new();
        assert!(client.exactly(1, &mut back).await);
        assert_eq!(back, byte.as_bytes());
    }
}

#[tokio::test]
async fn continue_is_said_by_the_router_when_a_dyno_is_there() {
    let (address, mut requests) = listening().await;
    let router = TestRouter::with(domain::route::Backends::Starting, |_| {});
    let mut client = router.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        .await;
    crate::support::until(|| !router.wakes.lock().unwrap().is_empty()).await;
    router.publish(ready(&[address]));
    assert_eq!(client.head().await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ab").await;
    assert_eq!(client.reply().await.status, 200);
    let (head, body) = soon(requests.recv()).await.unwrap();
    assert_eq!((values(&head, "expect"), body.as_str()), (vec![], "ab"));
}

#[tokio::test]
async fn an_early_answer_to_a_large_body_arrives() {
    let strict = dyno(|mut client| async move {
        client.head().await;
        client
            .send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
            .await;
        client.closed().await;
    });
    let router = TestRouter::with(ready(&[strict.await]), |_| {});
    let mut client = router.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3000000\r\n\r\n").await;
    client.send_bytes(&vec![b'x'; 100_000]).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.body.as_str()), (413, "big"));
}

/// Requests that routers and servers read differently. Each is either refused, or reaches the
/// dyno as exactly one request with this body.
#[tokio::test]
async fn no_request_hides_in_another() {
    let host = "Host: app.localhost\r\n";
    let hidden = "GET /hidden HTTP/1.1\r\nHost: app.localhost\r\n\r\n";
    let length = hidden.len();
    let cases: Vec<(String, Option<&str>)> = vec![
        // Chunked coding wins over a length, and the connection ends there.
        (
            format!("{host}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", length + 5),
            Some(""),
        ),
        (format!("{host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"), None),
        (format!("{host}Content-Length: 3, 4\r\n\r\nabc"), None),
        (format!("{host}Content-Length: +3\r\n\r\nabc"), None),
        (format!("{host}Content-Length: -1\r\n\r\n"), None),
        (format!("{host}Content-Length: 0x3\r\n\r\nabc"), None),
        (format!("{host}Content-Length : 3\r\n\r\nabc"), None),
        (format!("{host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), None),
        (format!("{host}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"), None),
        (format!("{host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), None),
        (format!("{host}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), None),
        (format!("{host}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n"), None),
        (format!("{host}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"), None),
        (format!("{host}X: a\r\n Content-Length: 3\r\n\r\nabc"), None),
        (format!("{host}X: a\rContent-Length: 3\r\n\r\nabc"), None),
        (format!("{host}X: a\0b\r\n\r\n"), None),
        (format!("{host}Host: other\r\n\r\n"), None),
        (format!("{host}{host}\r\n"), None),
        ("Host:\r\n\r\n".to_owned(), None),
        ("\r\n".to_owned(), None),
        (format!("{host}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n"), Some("abc")),
        (format!("{host}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc"), None),
        (format!("{host}Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n"), None),
        (format!("{host}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"), None),
    ];
    for (rest, expected) in cases {
        let (address, mut requests) = listening().await;
        let router = TestRouter::with(ready(&[address]), |_| {});
        let mut client = router.connect().await;
        client.send(&format!("POST /first HTTP/1.1\r\n{rest}{hidden}")).await;
        let reply = client.reply().await;
        if let Some(body) = expected {
            assert_eq!(reply.status, 200, "{rest:?}");
            let (head, got) = soon(requests.recv()).await.unwrap();
            assert!(head.starts_with("POST /first "), "{rest:?}");
            assert!(values(&head, "content-length").is_empty(), "{rest:?}");
            assert_eq!(got, body, "{rest:?}");
        } else {
            assert!(reply.status == 0 || (400..500).contains(&reply.status), "{rest:?}: {reply:?}");
            assert!(client.is_closed().await, "{rest:?} left the connection open");
            assert!(requests.try_recv().is_err(), "{rest:?} reached the dyno");
        }
    }
}

#[tokio::test]
async fn one_connection_serves_many_requests_and_so_does_the_dynos() {
    let router = TestRouter::with(ready(&[answering(HELLO).await]), |config| config.threads = 1);
    let mut client = router.connect().await;
    for _ in 0..20 {
        client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        assert_eq!(client.reply().await.body, "hello");
    }
    let mut registry = prometheus_client::registry::Registry::default();
    router.metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("router_dials_total 1\n"), "{text}");
    assert!(text.contains("router_requests_total{class=\"2xx\"} 20\n"), "{text}");
    assert!(text.contains("router_request_duration_seconds_count 20\n"), "{text}");
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced() {
    // This dyno closes after each answer without saying so.
    let hasty = dyno(|mut client| async move {
        client.request().await;
        client.send(HELLO).await;
    });
    let router = TestRouter::with(ready(&[hasty.await]), |config| config.threads = 1);
    let mut client = router.connect().await;
    for number in 0..60 {
        let (method, body) =
            if number % 3 == 0 { ("POST", "Content-Length: 1\r\n\r\nx") } else { ("GET", "\r\n") };
        client.send(&format!("{method} / HTTP/1.1\r\nHost: app.localhost\r\n{body}")).await;
        let reply = client.reply().await;
        if method == "GET" {
            assert_eq!(reply.status, 200);
        } else {
            // What a dyno may have seen is not sent again.
            assert!(matches!(reply.status, 200 | 503), "{reply:?}");
        }
    }
}

/// A request that a dyno dies of gets to no other dyno, also where it went over a kept connection.
#[tokio::test]
async fn a_request_that_kills_its_dyno_is_not_passed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dies = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 4096];
        assert!(client.read(&mut bytes).await.unwrap() > 0);
        client.write_all(HELLO.as_bytes()).await.unwrap();
        assert!(client.read(&mut bytes).await.unwrap() > 0);
        // The program ends, and with it all that it has open.
        drop(listener);
    });
    let router = TestRouter::with(ready(&[address]), |config| config.threads = 1);
    let mut client = router.connect().await;
    let mut get = async || {
        client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        client.reply().await.status
    };
    assert_eq!(get().await, 200);
    assert_eq!(get().await, 503);
    dies.await.unwrap();
    router.line().await;
    let line = router.line().await;
    assert!(line.contains("code=H13"), "{line}");
}

/// What is no request of HTTP/1, or too large for one.
#[tokio::test]
async fn noise_of_a_client_does_not_reach_a_dyno() {
    let host = "Host: app.localhost\r\n";
    let (address, mut requests) = listening().await;
    let router = TestRouter::with(ready(&[address]), |_| {});
    let noises: Vec<Vec<u8>> = vec![
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        format!("GET /\r\n{host}\r\n").into_bytes(),
        format!("GET / HTTP/1.2\r\n{host}\r\n").into_bytes(),
        format!("GET / HTTP/3.0\r\n{host}\r\n").into_bytes(),
        format!("GET / http/1.1\r\n{host}\r\n").into_bytes(),
        format!("GET  / HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("GET / a HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("G\x7fT / HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("{} / HTTP/1.1\r\n{host}\r\n", "A".repeat(128)).into_bytes(),
        format!("GET /\0 HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("CONNECT app.localhost:80 HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("GET http://other/ HTTP/1.1\r\n{host}\r\n").into_bytes(),
        format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(9000)).into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "a".repeat(9000)).into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X: a\r\n".repeat(101)).into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}X: {}", "a".repeat(100_000)).into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}: a\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}No colon\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into_bytes(),
        format!("POST / HTTP/1.1\r\n{host}Expect: magic\r\nContent-Length: 1\r\n\r\na").into_bytes(),
        format!("GET / HTTP/1.1\r\n{host}Content-Length: 18446744073709551616\r\n\r\n").into_bytes(),
    ];
    for noise in noises {
        let shown = String::from_utf8_lossy(&noise[..noise.len().min(80)]).into_owned();
        let mut client = router.connect().await;
        client.send_bytes(&noise).await;
        let reply = client.reply().await;
        assert!(reply.status == 0 || (400..500).contains(&reply.status), "{shown:?}: {reply:?}");
        assert!(requests.try_recv().is_err(), "{shown:?} reached the dyno");
    }
    assert_eq!(router.get().await.status, 200);
}
