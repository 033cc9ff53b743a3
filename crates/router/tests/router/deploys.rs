//! New tables under load: nothing is dropped, and an old dyno is known to be done.

use crate::support::{Client, TestRouter, dyno, soon, until, web};
use domain::route::{Backend, Backends};
use router::InFlight;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// A dyno that can be stopped as a deploy stops one: from then on it answers nobody.
struct Generation {
    backend: Backend,
    stopped: Arc<AtomicBool>,
}

impl Generation {
    async fn start(number: u32) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = stopped.clone();
        let address = dyno(move |mut client: Client| {
            let stop = stop.clone();
            async move {
                while client.request().await.is_some() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                }
            }
        })
        .await;
        Self { backend: web(number, address), stopped }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_deploys_under_load_drop_nothing() {
    let router = Arc::new(TestRouter::start(|_| {}));
    let mut current = Generation::start(1).await;
    router.publish(Backends::Ready(vec![current.backend.clone()]));

    let done = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let mut load = JoinSet::new();
    for kind in 0..8 {
        let (router, done, served) = (router.clone(), done.clone(), served.clone());
        load.spawn(async move {
            let mut client = router.connect().await;
            while !done.load(Ordering::SeqCst) {
                match kind % 3 {
                    0 => client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await,
                    1 => {
                        let head = "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 2\r\n\r\n";
                        client.send(head).await;
                        client.send("a").await;
                        tokio::time::sleep(Duration::from_millis(3)).await;
                        client.send("b").await;
                    }
                    _ => {
                        client = router.connect().await;
                        client
                            .send("PUT / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 0\r\n\r\n")
                            .await;
                    }
                }
                let reply = client.reply().await;
                assert_eq!((reply.status, reply.complete), (200, true), "{}", router.line().await);
                served.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for _ in 0..20 {
        let before = served.load(Ordering::SeqCst);
        let next = Generation::start(1).await;
        router.publish(Backends::Ready(vec![next.backend.clone()]));
        soon(router.routes.drained(current.backend.dyno)).await;
        assert_eq!(router.routes.in_flight(current.backend.dyno), InFlight::default());
        current.stopped.store(true, Ordering::SeqCst);
        current = next;
        until(|| served.load(Ordering::SeqCst) > before + 20).await;
    }
    done.store(true, Ordering::SeqCst);
    while let Some(result) = soon(load.join_next()).await {
        result.unwrap();
    }
}

#[tokio::test]
async fn an_unused_connection_to_a_dyno_that_left_is_closed() {
    let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
    let address = dyno(move |mut client: Client| {
        let ended = ended.clone();
        async move {
            while client.request().await.is_some() {
                client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
            ended.send(()).unwrap();
        }
    })
    .await;
    let router = TestRouter::with(Backends::Ready(vec![web(1, address)]), |_| {});
    assert_eq!(router.get().await.status, 200);
    router.publish(Backends::NoWeb);
    soon(end.recv()).await.unwrap();
}

#[tokio::test]
async fn a_request_under_way_ends_on_its_old_dyno() {
    let (release, released) = tokio::sync::watch::channel(false);
    let address = dyno(move |mut client: Client| {
        let mut released = released.clone();
        async move {
            client.request().await;
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nol").await;
            released.wait_for(|go| *go).await.unwrap();
            client.send("d!").await;
        }
    })
    .await;
    let old = web(1, address);
    let router = TestRouter::with(Backends::Ready(vec![old.clone()]), |_| {});
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    client.head().await.unwrap();
    router.publish(Backends::NoWeb);
    assert_eq!(router.routes.in_flight(old.dyno), InFlight { requests: 1, tunnels: 0 });
    release.send(true).unwrap();
    let mut body = Vec::new();
    assert!(client.exactly(4, &mut body).await);
    assert_eq!(body, b"old!");
    soon(router.routes.drained(old.dyno)).await;
}
