//! Alerts of searches that are kept: sent once each, tried again, refused, mailed.

use super::harness::World;
use crate::{Mail, Settings};
use domain::papertrail::{Period, Search};
use domain::{App, LogLine};
use jiff::SignedDuration;
use ops::papertrail::{AlertSet, Set};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpListener;

/// What a webhook was sent, as `(idempotency key, payload)`.
type Posts = Arc<Mutex<Vec<(String, serde_json::Value)>>>;

/// Answers the first `failures` posts with 500.
async fn webhook(failures: usize) -> (String, Posts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/secret", listener.local_addr().unwrap());
    let posts = Posts::default();
    let seen = posts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufStream::new(stream);
            let (mut length, mut key, mut line) = (0, String::new(), String::new());
            while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
                let (name, value) = line.trim().split_once(':').unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().unwrap(),
                    "idempotency-key" => value.trim().clone_into(&mut key),
                    _ => {}
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            let form = format!("http://x/?{}", String::from_utf8(body).unwrap());
            let form: reqwest::Url = form.parse().unwrap();
            let payload = form.query_pairs().find(|(name, _)| name == "payload").unwrap().1.into_owned();
            let count = {
                let mut seen = seen.lock().unwrap();
                seen.push((key, serde_json::from_str(&payload).unwrap()));
                seen.len()
            };
            let status = if count > failures { "204 No Content" } else { "500 Oops" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.flush().await;
        }
    });
    (address, posts)
}

async fn world(change: impl FnOnce(&mut Settings)) -> (World, App) {
    let catalog = addons::Catalog::load(None).unwrap_or_else(|error| panic!("{error}"));
    let settings = ops::Settings { catalog: Arc::new(catalog), sends_mail: true, ..ops::Settings::default() };
    let mut world = World::with_ops(change, settings).await;
    world.start();
    let app = world.create_app("shop").await;
    let order = ops::addons::Create { plan: "papertrail".into(), ..ops::addons::Create::default() };
    let made = ops::addons::create(&world.ops, &world.actor, app.name.as_str(), order).await.unwrap();
    world
        .until("the add-on is there", async || {
            let info = ops::addons::info(&world.ops, &world.actor, &made.addon.name).await.unwrap();
            info.addon.state == domain::AddonState::Provisioned
        })
        .await;
    (world, app)
}

impl World {
    async fn keep_search(&self, app: &App, alert: AlertSet) -> Search {
        let seen = self.logs.head(app.id).await.unwrap().0;
        let set = Set {
            name: Some("failures".into()),
            query: Some("failed".into()),
            alert: Some(Some(alert)),
            seen,
        };
        ops::papertrail::create(&self.ops, &self.actor, app.name.as_str(), set).await.unwrap()
    }

    async fn print(&self, app: &App, lines: &[&str]) {
        for text in lines {
            self.logs.append(app.id, LogLine::app(self.ops.now(), "web.1", (*text).to_owned()));
        }
        self.logs.head(app.id).await.unwrap();
    }

    async fn kept(&self, search: &Search) -> Search {
        let mut tx = self.ops.store().read().await.unwrap();
        store::papertrail::by_id(&mut tx, search.id).await.unwrap().unwrap()
    }

    /// As if its period were over.
    async fn look_again(&self, search: &Search) {
        let mut write = self.ops.store().write().await.unwrap();
        let mut search = store::papertrail::by_id(&mut write, search.id).await.unwrap().unwrap();
        let alert = search.alert.as_mut().unwrap();
        alert.checked_at = self.ops.now() - SignedDuration::from_hours(25);
        if let Some(batch) = &mut alert.batch {
            batch.retry_at = None;
        }
        store::papertrail::set(&mut write, &search).await.unwrap();
        write.commit().await.unwrap();
    }
}

fn to_webhook(address: &str) -> AlertSet {
    AlertSet { every: Period::Hour.to_string(), webhook: Some(address.into()), email: None }
}

fn messages(payload: &serde_json::Value) -> Vec<&str> {
    let events = payload["events"].as_array().unwrap();
    events.iter().map(|event| event["message"].as_str().unwrap()).collect()
}

fn loopback(settings: &mut Settings) {
    settings.alert_networks = vec!["127.0.0.1/32".parse().unwrap()];
}

#[tokio::test]
async fn what_is_found_is_sent_once() {
    let (mut world, app) = world(loopback).await;
    let (address, posts) = webhook(0).await;
    world.print(&app, &["failed before anybody asked"]).await;
    let search = world.keep_search(&app, to_webhook(&address)).await;
    world.print(&app, &["one failed", "fine", "two failed"]).await;
    world.look_again(&search).await;
    world.until("it is sent", async || world.kept(&search).await.alert.unwrap().sent_at.is_some()).await;
    let (key, payload) = posts.lock().unwrap()[0].clone();
    assert_eq!(messages(&payload), ["one failed", "two failed"]);
    assert_eq!((&payload["count"], &payload["saved_search"]["name"]), (&2.into(), &"failures".into()));
    assert_eq!(payload["events"][0]["program"], "app/web.1");
    assert_eq!(payload["batch_id"], key.as_str());
    // Neither by another look nor by another server.
    world.look_again(&search).await;
    let looked = async || {
        world.kept(&search).await.alert.unwrap().checked_at > world.ops.now() - SignedDuration::from_hours(1)
    };
    world.until("it is looked up", looked).await;
    world.kill().await;
    world.start();
    world.print(&app, &["three failed"]).await;
    world.look_again(&search).await;
    world.until("the next is sent", async || posts.lock().unwrap().len() > 1).await;
    assert_eq!(messages(&posts.lock().unwrap()[1].1), ["three failed"]);
}

#[tokio::test]
async fn a_webhook_that_fails_is_asked_again_and_told() {
    let (world, app) = world(loopback).await;
    let (address, posts) = webhook(2).await;
    let search = world.keep_search(&app, to_webhook(&address)).await;
    world.print(&app, &["it failed"]).await;
    for attempt in 1..=3 {
        world.look_again(&search).await;
        world.until("it is tried", async || posts.lock().unwrap().len() >= attempt).await;
        world
            .until("that is written down", async || {
                let alert = world.kept(&search).await.alert.unwrap();
                alert.sent_at.is_some() || alert.batch.is_some_and(|batch| batch.attempts as usize == attempt)
            })
            .await;
        let alert = world.kept(&search).await.alert.unwrap();
        let failure = (attempt < 3).then_some("the webhook answered 500");
        assert_eq!(alert.failure.as_deref(), failure);
    }
    let posts = posts.lock().unwrap();
    assert_eq!(posts.len(), 3);
    assert!(posts.iter().all(|(key, _)| *key == posts[0].0), "{posts:?}");
}

#[tokio::test]
async fn the_own_network_is_not_posted_to() {
    let (world, app) = world(|_| ()).await;
    let (address, posts) = webhook(0).await;
    let search = world.keep_search(&app, to_webhook(&address)).await;
    world.print(&app, &["it failed"]).await;
    world.look_again(&search).await;
    world.until("it is refused", async || world.kept(&search).await.alert.unwrap().failure.is_some()).await;
    let failure = world.kept(&search).await.alert.unwrap().failure.unwrap();
    assert_eq!(failure, "its address lies in this server's own network");
    assert!(posts.lock().unwrap().is_empty());
    // It is given up in the end, which the log tells.
    for _ in 0..5 {
        let attempts = async || world.kept(&search).await.alert.unwrap().batch.map(|batch| batch.attempts);
        let before = attempts().await;
        world.look_again(&search).await;
        world.until("it is tried again", async || attempts().await != before).await;
    }
    let line = "An alert of the search \"failures\" could not be sent and was given up";
    world.until("the log tells", async || world.log(&app).await.iter().any(|text| text.contains(line))).await;
}

/// Takes mails.
pub(super) async fn mail_server() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("smtp://{}", listener.local_addr().unwrap());
    let mail = Arc::<Mutex<String>>::default();
    let taken = mail.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufStream::new(stream);
            let (mut in_data, mut text) = (false, String::new());
            stream.write_all(b"220 here\r\n").await.unwrap();
            stream.flush().await.unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                text.push_str(&line);
                let answer = match (in_data, line.trim_end()) {
                    (true, ".") => {
                        in_data = false;
                        taken.lock().unwrap().push_str(&text);
                        "250 taken\r\n"
                    }
                    (true, _) => "",
                    (false, "DATA") => {
                        in_data = true;
                        "354 go on\r\n"
                    }
                    (false, "QUIT") => "221 bye\r\n",
                    (false, _) => "250 ok\r\n",
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                line.clear();
            }
        }
    });
    (address, mail)
}

#[tokio::test]
async fn an_alert_is_mailed() {
    let (server, mail) = mail_server().await;
    let settings = Mail { server, from: "Kigo <kigo@example.com>".into() };
    assert_eq!(settings.check(), Ok(()));
    let (world, app) = world(|all| all.mail = Some(settings)).await;
    let alert = AlertSet { every: "day".into(), webhook: None, email: Some("ada@example.com".into()) };
    let search = world.keep_search(&app, alert).await;
    world.print(&app, &["it failed"]).await;
    world.look_again(&search).await;
    world
        .until("it is sent", async || {
            let alert = world.kept(&search).await.alert.unwrap();
            assert_eq!(alert.failure, None);
            alert.sent_at.is_some()
        })
        .await;
    let mail = mail.lock().unwrap();
    for words in [
        "MAIL FROM:<kigo@example.com>",
        "RCPT TO:<ada@example.com>",
        "Subject: shop: 1 match of",
        "it failed",
    ] {
        assert!(mail.contains(words), "{words}: {mail}");
    }
}

#[test]
fn mail_servers_that_are_none_are_told() {
    for (server, from, words) in [
        ("imap://mail.example.com", "kigo@example.com", "mail.server is no address"),
        ("mail.example.com", "kigo@example.com", "mail.server is no address"),
        ("smtps://mail.example.com", "kigo", "mail.from is no e-mail address"),
    ] {
        let error = Mail { server: server.into(), from: from.into() }.check().unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}
