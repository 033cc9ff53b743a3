//! Deploys seen from outside: who answers, and that somebody always does.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Server, until};
use futures_util::{SinkExt, StreamExt};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

/// Requests spread over the dynos of a type.
pub(crate) fn two_dynos_serve_in_turn(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "turns-app", "turn")?;
        app.push()?.ok()?;
        app.heroku(&["ps:scale", "web=2"])?.ok()?;
        app.up(&["web.1", "web.2"]).await?;
        let mut seen = BTreeSet::new();
        until("both dynos to answer", async || {
            let body = app.get("/").await.map_err(|error| format!("{error:#}"))?.body;
            seen.insert(body);
            if seen.len() == 2 { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await?;
        app.heroku(&["ps:scale", "web=0"])?.ok()?;
        until("nobody to answer", async || match app.get("/").await {
            Ok(answer) if answer.status == 503 => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await?;
        app.logs_say("at=error code=H14 desc=\"No web processes running\"").await?;
        Ok(())
    })
}

/// Pushing what runs already changes nothing.
pub(crate) fn the_same_commit_is_no_new_release(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "same-app", "same")?;
        app.push()?.ok()?;
        app.push()?.ok()?.says("Everything up-to-date")?;
        let (_, releases) = server.api("GET", "/apps/same-app/releases", None).await?;
        ensure!(releases.as_array().is_some_and(|list| list.len() == 3), "three releases: {releases}");
        // A branch that is not deployed is kept, and builds nothing.
        app.git(&["push", "heroku", "main:feature"])?.ok()?.says("skipping build")?;
        Ok(())
    })
}

/// What the load saw.
#[derive(Default)]
struct Tally {
    done: AtomicUsize,
    failed: std::sync::Mutex<Vec<String>>,
}

impl Tally {
    fn failed(&self, what: String) {
        self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(what);
    }
}

/// Keep-alive clients, slow uploads and a WebSocket, all through twenty deploys.
pub(crate) fn twenty_deploys_drop_no_request(server: &Server) -> Result<()> {
    run(async {
        let app = App::example(server, "steady-app", "node-hello")?;
        app.write("Procfile", "web: node server.js\n")?;
        app.commit("web only")?;
        app.push()?.ok()?;
        app.up(&["web.1"]).await?;
        let tally = Arc::new(Tally::default());
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = Vec::new();
        for _ in 0..4 {
            load.push(tokio::spawn(keep_alive(app.request("GET", "/")?, tally.clone(), stop.clone())));
        }
        for _ in 0..2 {
            load.push(tokio::spawn(slow_posts(app.request("POST", "/slow")?, tally.clone(), stop.clone())));
        }
        load.push(tokio::spawn(web_socket(
            server.router.clone(),
            app.name.clone(),
            tally.clone(),
            stop.clone(),
        )));
        for round in 1..=20 {
            app.write("round.txt", &format!("{round}\n"))?;
            app.commit(&format!("round {round}"))?;
            app.push()?.ok()?;
        }
        app.up(&["web.1"]).await?;
        stop.store(true, Ordering::Relaxed);
        for client in load {
            client.await?;
        }
        let failed = tally.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let done = tally.done.load(Ordering::Relaxed);
        ensure!(
            failed.is_empty(),
            "{} of {done} failed: {:?}",
            failed.len(),
            failed.iter().take(10).collect::<Vec<_>>()
        );
        ensure!(done > 200, "only {done} requests were made");
        Ok(())
    })
}

async fn keep_alive(request: reqwest::RequestBuilder, tally: Arc<Tally>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let Some(request) = request.try_clone() else { return tally.failed("cannot clone".into()) };
        record(request.send().await, &tally).await;
    }
}

async fn slow_posts(request: reqwest::RequestBuilder, tally: Arc<Tally>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        // Ten pieces, 200 ms apart: longer than a dyno takes to be replaced.
        let pieces = futures_util::stream::iter(0..10).then(|piece| async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok::<_, std::io::Error>(format!("piece {piece}\n"))
        });
        let Some(request) = request.try_clone() else { return tally.failed("cannot clone".into()) };
        record(request.body(reqwest::Body::wrap_stream(pieces)).send().await, &tally).await;
    }
}

async fn record(answer: reqwest::Result<reqwest::Response>, tally: &Tally) {
    match answer {
        Ok(answer) if answer.status().is_success() => match answer.bytes().await {
            Ok(_) => {
                tally.done.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => tally.failed(format!("body: {error:?}")),
        },
        Ok(answer) => {
            let status = answer.status();
            tally.failed(format!("{status} {}", answer.text().await.unwrap_or_default()));
        }
        Err(error) => tally.failed(format!("{error:?}")),
    }
}

/// Echoes over one socket; when its dyno is told to stop, the socket ends between two messages and
/// the client connects again, as every WebSocket client has to. A refused handshake or a lost echo
/// on an open socket is a failure.
async fn web_socket(router: String, app: String, tally: Arc<Tally>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        if let Err(error) = echo_until_closed(&router, &app, &tally, &stop).await {
            tally.failed(format!("web socket: {error:#}"));
        }
    }
}

async fn echo_until_closed(router: &str, app: &str, tally: &Tally, stop: &AtomicBool) -> Result<()> {
    let mut request = format!("ws://{router}/ws").into_client_request()?;
    request.headers_mut().insert("Host", format!("{app}.localhost").parse()?);
    let stream = tokio::net::TcpStream::connect(router).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.context("handshake")?;
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let word = format!("message {number}");
        if socket.send(Message::text(word.clone())).await.is_err() {
            return Ok(());
        }
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(echo))) => {
                    ensure!(echo.as_str().contains(&word), "{echo} is no echo of {word}");
                    tally.done.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
