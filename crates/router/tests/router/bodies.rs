//! Bodies: large ones, ones that cross, their trailers, and ones that claim to be shorter than
//! they are.

use crate::support::{Client, HELLO, TestRouter, dyno, ready, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// More than all buffers on the way hold.
const LARGE: usize = 24 << 20;

/// Bytes of which no two pieces look alike.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn in_chunks(body: &[u8], length: usize) -> Vec<u8> {
    let mut coded = Vec::new();
    for chunk in body.chunks(length) {
        coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    coded
}

/// Bodies with the line that frames each, and as it goes over the wire.
fn framed() -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let (large, small) = (pattern(3_000_001), pattern(100_001));
    let chunked = || "Transfer-Encoding: chunked".to_owned();
    vec![
        (format!("Content-Length: {}", large.len()), large.clone(), large.clone()),
        (chunked(), large.clone(), in_chunks(&large, 70_000)),
        (chunked(), small.clone(), in_chunks(&small, 11)),
    ]
}

#[tokio::test]
async fn large_answers_arrive_as_they_are() {
    let until_the_end = ("Connection: close".to_owned(), pattern(3_000_001), pattern(3_000_001));
    for (framing, body, coded) in framed().into_iter().chain([until_the_end]) {
        let answer = [format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").into_bytes(), coded].concat();
        let large = dyno(move |mut client: Client| {
            let answer = answer.clone();
            async move {
                client.request().await;
                client.send_bytes(&answer).await;
            }
        });
        let router = TestRouter::with(ready(&[large.await]), |_| {});
        let mut client = router.connect().await;
        client.send("GET / HTTP/1.0\r\nHost: app.localhost\r\n\r\n").await;
        client.head().await.unwrap();
        let mut got = Vec::new();
        soon(client.0.read_to_end(&mut got)).await.unwrap();
        assert!(got == body, "{framing}: {} bytes", got.len());
        assert!(router.line().await.contains(&format!(" status=200 bytes={} ", body.len())));
    }
}

#[tokio::test]
async fn large_requests_arrive_as_they_are() {
    for (framing, body, coded) in framed() {
        let judge = dyno(move |mut client: Client| {
            let expected = String::from_utf8_lossy(&body).into_owned();
            async move {
                let (_, got) = client.request().await.unwrap();
                let word = if got == expected { "right" } else { "wrong" };
                client.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{word}")).await;
            }
        });
        let router = TestRouter::with(ready(&[judge.await]), |_| {});
        let mut client = router.connect().await;
        client.send(&format!("POST / HTTP/1.1\r\nHost: app.localhost\r\n{framing}\r\n\r\n")).await;
        client.send_bytes(&coded).await;
        assert_eq!(client.reply().await.body, "right", "{framing}");
    }
}

/// Neither side waits for the other one to take what it sends.
#[tokio::test]
async fn a_request_goes_on_while_its_answer_is_not_taken() {
    let crossing = dyno(|mut client: Client| async move {
        client.head().await;
        let (mut reader, mut writer) = client.0.split();
        let answer = async {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
            writer.write_all(head.as_bytes()).await.unwrap();
            writer.write_all(&vec![b'a'; LARGE]).await.unwrap();
        };
        let mut request = Vec::new();
        let ((), read) = tokio::join!(answer, async { reader.read_to_end(&mut request).await });
        read.unwrap();
    });
    let router = TestRouter::with(ready(&[crossing.await]), |_| {});
    let mut client = router.connect().await;
    client.send(&format!("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: {LARGE}\r\n\r\n")).await;
    client.head().await.unwrap();
    client.send_bytes(&vec![b'q'; LARGE]).await;
    let mut answer = Vec::new();
    assert!(client.exactly(LARGE, &mut answer).await);
    assert!(router.line().await.contains(&format!(" status=200 bytes={LARGE} ")));
}

#[tokio::test]
async fn a_dyno_that_answers_early_hears_that_the_rest_will_not_come() {
    let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
    let early = dyno(move |mut client: Client| {
        let ended = ended.clone();
        async move {
            client.head().await;
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na").await;
            client.closed().await;
            ended.send(()).unwrap();
        }
    });
    let router = TestRouter::with(ready(&[early.await]), |_| {});
    let mut client = router.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab").await;
    client.head().await.unwrap();
    client.send("no line break").await;
    soon(end.recv()).await.unwrap();
}

#[tokio::test]
async fn a_dyno_that_answers_and_hangs_up_is_heard() {
    let rude = dyno(|mut client: Client| async move {
        client.head().await;
        client.send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig").await;
        // Closed with bytes unread, which resets the connection.
    });
    let router = TestRouter::with(ready(&[rude.await]), |_| {});
    for _ in 0..10 {
        let mut client = router.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3000000\r\n\r\n").await;
        client.send_bytes(&vec![b'x'; 300_000]).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.body.as_str()), (413, "big"));
    }
}

#[tokio::test]
async fn announced_trailers_pass_both_ways() {
    let trailing = dyno(|mut client: Client| async move {
        let head = client.head().await.unwrap();
        assert!(head.contains("trailer: X-Sum\r\n"), "{head}");
        let mut body = Vec::new();
        let expected = b"2\r\nab\r\n0\r\nx-sum: 1\r\n\r\n";
        assert!(client.exactly(expected.len(), &mut body).await);
        assert_eq!(body, expected, "{}", String::from_utf8_lossy(&body));
        client
            .send("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\nX-Sum: 2\r\nX-Other: 3\r\n\r\n")
            .await;
    });
    let router = TestRouter::with(ready(&[trailing.await]), |_| {});
    let mut client = router.connect().await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: app.localhost\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nab\r\n0\r\nX-Sum: 1\r\nX-Other: 9\r\n\r\n",
        )
        .await;
    client.head().await.unwrap();
    let mut body = Vec::new();
    let expected = b"2\r\ncd\r\n0\r\nx-sum: 2\r\n\r\n";
    assert!(client.exactly(expected.len(), &mut body).await);
    assert_eq!(body, expected, "{}", String::from_utf8_lossy(&body));
}

/// What a dyno says beyond its answer must not become the answer to somebody else.
#[tokio::test]
async fn no_answer_hides_in_another() {
    let hidden = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden";
    for (method, first) in [
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    ] {
        let talkative = dyno(move |mut client: Client| async move {
            let (head, _) = client.request().await.unwrap();
            if head.contains(" /second ") {
                client.send(HELLO).await;
            } else {
                client.send(&format!("{first}{hidden}")).await;
            }
            client.closed().await;
        });
        let router = TestRouter::with(ready(&[talkative.await]), |config| config.threads = 1);
        let mut client = router.connect().await;
        client
            .send(&format!("{method} /first HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n"))
            .await;
        client.closed().await;
        let reply = router.ask("GET /second HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "hello"), "{first:?}");
    }
}

/// Every answer may come in as many pieces as it has bytes.
#[tokio::test]
async fn an_answer_may_come_byte_by_byte() {
    for answer in [
        HELLO,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\nh\r\n4\r\nello\r\n0\r\nX: a\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nhello",
    ] {
        let dribbling = dyno(move |mut client: Client| async move {
            client.0.set_nodelay(true).unwrap();
            client.request().await;
            for byte in answer.as_bytes() {
                client.send_bytes(&[*byte]).await;
                tokio::task::yield_now().await;
            }
        });
        let router = TestRouter::with(ready(&[dribbling.await]), |_| {});
        let reply = router.get().await;
        assert_eq!((reply.status, reply.body.as_str(), reply.complete), (200, "hello", true), "{answer:?}");
        assert!(router.line().await.contains(" status=200 bytes=5 "));
    }
}

/// A client must not take part of a broken body for a whole one.
#[tokio::test]
async fn a_body_in_broken_chunks_is_cut_off() {
    let endless = format!("5\r\nhello\r\n1;{}", "x".repeat(2000));
    let trailing = format!("5\r\nhello\r\n0\r\nX: {}", "x".repeat(10_000));
    for coded in [
        "5\r\nhello\r\n-1\r\n",
        "5\r\nhello\r\n0x1\r\na\r\n0\r\n\r\n",
        "5\r\nhello\r\nfffffffffffffffff\r\n",
        "5\r\nhelloo\r\n0\r\n\r\n",
        "5\r\nhello\n0\n\n",
        "5\r\nhello\r\n0\r\n folded: a\r\n\r\n",
        "5\r\nhello\r\n0\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "5\r\nhello\r\n",
        &endless,
        &trailing,
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{coded}");
        let broken = dyno(move |mut client: Client| {
            let answer = answer.clone();
            async move {
                client.request().await;
                client.send(&answer).await;
                // Hangs up, which some of these need to be broken at all.
            }
        });
        let router = TestRouter::with(ready(&[broken.await]), |_| {});
        let reply = router.get().await;
        assert_eq!((reply.status, reply.body.as_str(), reply.complete), (200, "hello", false), "{coded:?}");
        let line = router.line().await;
        assert!(line.starts_with("sock=backend at=error code=H18 "), "{coded:?}: {line}");
    }
}

#[tokio::test]
async fn a_dyno_that_never_comes_to_its_answer_is_given_up() {
    let hinting = dyno(|mut client: Client| async move {
        client.request().await;
        while client.0.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await.is_ok() {}
    });
    let router = TestRouter::with(ready(&[hinting.await]), |_| {});
    assert_eq!(router.get().await.status, 502);
    let line = router.line().await;
    assert!(line.starts_with("at=error code=H25 desc=\"HTTP restriction: oversized header\""), "{line}");
}

/// What a dyno says between two requests is no answer to the second.
#[tokio::test]
async fn what_nobody_asked_for_is_not_heard() {
    let nudge = std::sync::Arc::new(tokio::sync::Notify::new());
    let (said, mut unasked) = tokio::sync::mpsc::unbounded_channel();
    let nudged = nudge.clone();
    let talkative = dyno(move |mut client: Client| {
        let (nudged, said) = (nudged.clone(), said.clone());
        async move {
            let (head, _) = client.request().await.unwrap();
            client.send(HELLO).await;
            if head.starts_with("GET /first ") {
                nudged.notified().await;
                client.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden").await;
                said.send(()).unwrap();
            }
            client.closed().await;
        }
    });
    let router = TestRouter::with(ready(&[talkative.await]), |config| config.threads = 1);
    for path in ["/first", "/second"] {
        let reply = router.ask(&format!("GET {path} HTTP/1.1\r\nHost: app.localhost\r\n\r\n")).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
        if path == "/first" {
            nudge.notify_one();
            soon(unasked.recv()).await.unwrap();
        }
    }
}
