//! Each H code: what brings it about, what the client sees, what the log says.

use crate::support::{Client, HELLO, TestRouter, answering, dyno, nobody, ready, route, soon, until, web};
use domain::route::Backends;
use router::Config;
use std::net::SocketAddr;
use std::time::Duration;

/// Short enough to wait for, long enough not to fall together.
const SHORT: Duration = Duration::from_millis(150);

fn impatient(config: &mut Config) {
    config.timeouts.connect = SHORT;
    config.timeouts.first_byte = SHORT;
    config.timeouts.idle = SHORT;
    config.timeouts.hold = SHORT;
}

/// The fields of a log line after `at=…`, without those that differ from run to run.
fn start(line: &str) -> &str {
    line.split(" method=").next().unwrap()
}

async fn refuses(router: &TestRouter, status: u16, line_start: &str) -> String {
    let reply = router.get().await;
    assert_eq!(reply.status, status, "{line_start}");
    assert!(reply.complete);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(reply.header("cache-control"), Some("no-cache, no-store"));
    let line = router.line().await;
    assert_eq!(start(&line), line_start);
    assert!(line.contains(&format!(" status={status} ")), "{line}");
    line
}

#[tokio::test]
async fn a_request_that_works_leaves_one_line() {
    let router = TestRouter::with(ready(&[answering(HELLO).await]), |_| {});
    let request = "GET /path?a=%22b HTTP/1.1\r\nHost: App.localhost:8080\r\nX-Forwarded-For: 1.2.3.4\r\n\
                   X-Request-Id: 8601b555-6a83-4c12-8269-97c8e32cdb22\r\n\r\n";
    let reply = router.ask(request).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    let line = router.line().await;
    let (before, times) = line.split_once(" connect=").unwrap();
    assert_eq!(
        before,
        "at=info method=GET path=\"/path?a=%22b\" host=App.localhost:8080 \
         request_id=8601b555-6a83-4c12-8269-97c8e32cdb22 fwd=\"1.2.3.4, 127.0.0.1\" dyno=web.1"
    );
    let fields: Vec<&str> = times.split(' ').collect();
    assert!(fields[0].ends_with("ms") && fields[1].starts_with("service=") && fields[1].ends_with("ms"));
    assert_eq!(&fields[2..], ["status=200", "bytes=5", "protocol=http"]);
    assert!(router.no_line_yet().await);
}

#[tokio::test]
async fn an_unknown_host_is_answered_and_not_logged() {
    let router = TestRouter::with(Backends::NoWeb, |_| {});
    let reply = router.ask("GET / HTTP/1.1\r\nHost: other.localhost\r\n\r\n").await;
    assert_eq!(reply.status, 404);
    assert!(reply.body.contains("No such app"));
    until(|| router.metrics.requests() == 1).await;
    assert!(router.no_line_yet().await);
}

#[tokio::test]
async fn h10_h14_h81_follow_from_the_table() {
    let router = TestRouter::with(Backends::Crashed, |_| {});
    let line = refuses(&router, 503, "at=error code=H10 desc=\"App crashed\"").await;
    assert!(line.ends_with(" dyno= connect= service= status=503 bytes= protocol=http"), "{line}");
    router.publish(Backends::NoWeb);
    refuses(&router, 503, "at=error code=H14 desc=\"No web processes running\"").await;
    router.publish(Backends::Blank);
    refuses(&router, 502, "at=info code=H81 desc=\"Blank app\"").await;
}

#[tokio::test]
async fn h80_shows_the_apps_own_page() {
    let router = TestRouter::start(|_| {});
    let mut maintained = route(ready(&[nobody().await]));
    maintained.maintenance = true;
    router.publish_route(maintained.clone());
    refuses(&router, 503, "at=info code=H80 desc=\"Maintenance mode\"").await;
    maintained.maintenance_page = Some("https://example.com/m.html".into());
    maintained.error_page = Some("https://example.com/e.html".into());
    router.publish_route(maintained.clone());
    assert!(router.get().await.body.contains("<iframe src=\"https://example.com/m.html\">"));
    maintained.maintenance = false;
    maintained.backends = Backends::Crashed;
    router.publish_route(maintained);
    assert!(router.get().await.body.contains("<iframe src=\"https://example.com/e.html\">"));
}

#[tokio::test]
async fn h11_bounds_the_requests_of_one_app() {
    let silent = web(1, dyno(|mut client| async move { client.closed().await }).await);
    let router = TestRouter::with(Backends::Ready(vec![silent.clone()]), |config| {
        config.limits.in_flight_per_dyno = 1;
    });
    let mut first = router.connect().await;
    first.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    until(|| router.routes.in_flight(silent.dyno).requests == 1).await;
    refuses(&router, 503, "at=error code=H11 desc=\"Backlog too deep\"").await;
}

#[tokio::test]
async fn h12_when_a_dyno_says_nothing() {
    let silent = dyno(|mut client| async move {
        client.request().await;
        client.closed().await;
    });
    let router = TestRouter::with(ready(&[silent.await]), impatient);
    let line = refuses(&router, 503, "at=error code=H12 desc=\"Request timeout\"").await;
    let (before, times) = line.split_once(" connect=").unwrap();
    assert!(before.ends_with(" dyno=web.1"), "{line}");
    let (connect, times) = times.split_once("ms service=").unwrap();
    let (service, rest) = times.split_once("ms").unwrap();
    assert!(connect.parse::<u128>().is_ok(), "{line}");
    assert!(service.parse::<u128>().unwrap() >= SHORT.as_millis(), "{line}");
    assert_eq!(rest, " status=503 bytes=0 protocol=http");
}

#[tokio::test]
async fn h12_counts_from_the_requests_last_byte() {
    let echo = answering(HELLO).await;
    let router = TestRouter::with(ready(&[echo]), |config| {
        config.timeouts.first_byte = Duration::from_millis(1200);
        config.timeouts.idle = Duration::from_millis(1200);
    });
    let mut client = router.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 8\r\n\r\n").await;
    // In all twice as long as a dyno may take.
    for byte in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.send(byte).await;
    }
    assert_eq!(client.reply().await.status, 200);
}

#[tokio::test]
async fn h13_when_a_dyno_hangs_up() {
    let rude = dyno(|mut client| async move {
        client.request().await;
    });
    let router = TestRouter::with(ready(&[rude.await]), |_| {});
    refuses(&router, 503, "at=error code=H13 desc=\"Connection closed without response\"").await;
}

#[tokio::test]
async fn h15_when_a_response_rests() {
    let slow = dyno(|mut client| async move {
        client.request().await;
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
        client.closed().await;
    });
    let router = TestRouter::with(ready(&[slow.await]), impatient);
    let reply = router.get().await;
    assert_eq!((reply.status, reply.complete), (200, false));
    let line = router.line().await;
    assert_eq!(start(&line), "at=error code=H15 desc=\"Idle connection\"");
    assert!(line.contains(" status=200 bytes=5 "), "{line}");
}

#[tokio::test]
async fn h17_and_h25_when_a_response_is_malformed() {
    let big = format!("HTTP/1.1 200 OK\r\nX-Big: {}\r\n\r\n", "a".repeat(300_000));
    let cookie =
        format!("HTTP/1.1 200 OK\r\nSet-Cookie: a={}\r\nContent-Length: 0\r\n\r\n", "a".repeat(8192));
    let restriction = |what: &str| format!("at=error code=H25 desc=\"HTTP restriction: {what}\"");
    let malformed = "at=error code=H17 desc=\"Poorly formatted HTTP response\"".to_owned();
    for (answer, status, line) in [
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(), 503, malformed.clone()),
        ("HTTP/1.1 abc OK\r\n\r\n".to_owned(), 503, malformed.clone()),
        ("HTTP/1.1 200 OK\r\nNo colon\r\n\r\n".to_owned(), 503, malformed.clone()),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_owned(), 503, malformed),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
            502,
            restriction("invalid content length"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(),
            502,
            restriction("invalid content length"),
        ),
        (big, 502, restriction("oversized header")),
        (cookie, 502, restriction("oversized cookie")),
    ] {
        let answer: &'static str = answer.leak();
        let broken = dyno(move |mut client| async move {
            client.request().await;
            client.send(answer).await;
            client.closed().await;
        });
        let router =
            TestRouter::with(ready(&[broken.await]), |config| config.limits.response_head = 64 * 1024);
        refuses(&router, status, &line).await;
    }
}

#[tokio::test]
async fn h18_when_a_dyno_dies_while_it_answers() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let dying = dyno(move |mut client| async move {
            client.request().await;
            client.send(answer).await;
        });
        let router = TestRouter::with(ready(&[dying.await]), |_| {});
        let reply = router.get().await;
        assert_eq!((reply.status, reply.complete), (200, false));
        let line = router.line().await;
        assert_eq!(start(&line), "sock=backend at=error code=H18 desc=\"Server Request Interrupted\"");
        assert!(line.contains(" status=200 bytes=5 "), "{line}");
    }
}

#[tokio::test]
async fn h19_when_a_dyno_cannot_be_reached() {
    // An address for documentation (RFC 5737): no machine answers there. Without any route at
    // all the kernel refuses at once instead.
    let router = TestRouter::with(ready(&["192.0.2.1:5000".parse::<SocketAddr>().unwrap()]), impatient);
    assert_eq!(router.get().await.status, 503);
    let line = router.line().await;
    let codes = ["H19 desc=\"Backend connection timeout\"", "H21 desc=\"Backend connection refused\""];
    assert!(codes.iter().any(|code| start(&line) == format!("at=error code={code}")), "{line}");
}

#[tokio::test]
async fn h20_when_no_dyno_comes_up() {
    let router = TestRouter::with(Backends::Starting, impatient);
    let line = refuses(&router, 503, "at=error code=H20 desc=\"App boot timeout\"").await;
    assert!(line.contains(" dyno= connect= service= "), "{line}");
    assert_eq!(router.wakes.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn h21_then_h99_when_dynos_refuse() {
    let router = TestRouter::with(ready(&[nobody().await, nobody().await]), |config| {
        config.timeouts.hold = SHORT;
    });
    let line = refuses(&router, 503, "at=error code=H21 desc=\"Backend connection refused\"").await;
    assert!(line.contains(" dyno=web."), "{line}");
    // Both rest now for longer than a request is held.
    refuses(&router, 503, "at=error code=H99 desc=\"Platform error\"").await;
}

#[tokio::test]
async fn h22_when_clients_are_too_many() {
    let router = TestRouter::with(ready(&[answering(HELLO).await]), |config| config.limits.connections = 1);
    let mut first = router.connect().await;
    first.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert_eq!(first.reply().await.status, 200);
    router.line().await;
    let reply = router.get().await;
    assert_eq!((reply.status, reply.header("connection")), (503, Some("close")));
    assert_eq!(start(&router.line().await), "at=error code=H22 desc=\"Connection limit reached\"");
}

#[tokio::test]
async fn a_flood_of_connections_is_closed_unheard() {
    let router = TestRouter::with(ready(&[answering(HELLO).await]), |config| {
        (config.limits.connections, config.limits.refusals) = (1, 1);
    });
    let first = router.connect().await;
    until(|| router.metrics.connections() == 1).await;
    let mut told = router.connect().await;
    until(|| router.metrics.connections() == 2).await;
    assert!(router.connect().await.is_closed().await, "a third one is kept");
    told.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert_eq!(told.reply().await.status, 503);
    drop((first, told));
    until(|| router.metrics.connections() == 0).await;
    assert_eq!(router.get().await.status, 200);
}

#[tokio::test]
async fn h26_when_a_request_is_malformed() {
    let router = TestRouter::with(ready(&[answering(HELLO).await]), |_| {});
    let error = |cause: &str| format!("at=error code=H26 desc=\"Request Error\" cause=\"{cause}\"");
    for (head, status, line) in [
        ("Expect: 200-ok\r\n\r\n", 417, error("unsupported expect header value")),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, error("bad header")),
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400, error("bad chunk")),
    ] {
        let reply = router.ask(&format!("POST / HTTP/1.1\r\nHost: app.localhost\r\n{head}")).await;
        assert_eq!(reply.status, status, "{head}");
        assert_eq!(start(&router.line().await), line);
    }
}

#[tokio::test]
async fn h27_when_the_client_leaves() {
    let (asked, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let slow = dyno(move |mut client: Client| {
        let asked = asked.clone();
        async move {
            client.head().await;
            asked.send(()).unwrap();
            client.closed().await;
            asked.send(()).unwrap();
        }
    });
    let router = TestRouter::with(ready(&[slow.await]), |_| {});
    let interrupted = "sock=client at=warning code=H27 desc=\"Client Request Interrupted\"";
    for request in [
        "GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 9\r\n\r\nhalf",
    ] {
        let mut client = router.connect().await;
        client.send(request).await;
        soon(heard.recv()).await.unwrap();
        drop(client);
        let line = router.line().await;
        assert_eq!(start(&line), interrupted);
        assert!(line.contains(" status=499 "), "{line}");
        soon(heard.recv()).await.expect("the dyno is told by its connection's end");
    }

    // And while a request is held.
    router.publish(Backends::Starting);
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    until(|| !router.wakes.lock().unwrap().is_empty()).await;
    drop(client);
    assert_eq!(start(&router.line().await), interrupted);
}

#[tokio::test]
async fn h28_when_a_client_stops_sending() {
    let waiting = dyno(|mut client| async move {
        client.request().await;
    });
    let router = TestRouter::with(ready(&[waiting.await]), impatient);
    let mut client = router.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 9\r\n\r\nhalf").await;
    client.reply().await;
    let line = router.line().await;
    assert_eq!(start(&line), "sock=client at=warning code=H28 desc=\"Client Connection Idle\"");
    assert!(line.contains(" status=499 "), "{line}");
}

#[tokio::test]
async fn h28_when_a_client_stops_reading() {
    let flood = dyno(|mut client| async move {
        client.request().await;
        client.send("HTTP/1.1 200 OK\r\n\r\n").await;
        let piece = vec![b'x'; 1 << 20];
        while tokio::io::AsyncWriteExt::write_all(&mut client.0, &piece).await.is_ok() {}
    });
    let router = TestRouter::with(ready(&[flood.await]), impatient);
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert_eq!(
        start(&router.line().await),
        "sock=client at=warning code=H28 desc=\"Client Connection Idle\""
    );
    client.closed().await;
}
