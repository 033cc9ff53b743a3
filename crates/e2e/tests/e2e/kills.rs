//! The server dies as in a power cut, comes back, and nothing that was acknowledged is lost.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Server, until};
use futures_util::StreamExt;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The ids of an app's dynos, by which a restart without need would show.
async fn dyno_ids(app: &App<'_>) -> Result<BTreeSet<String>> {
    let (_, dynos) = app.server.api("GET", &format!("/apps/{}/dynos", app.name), None).await?;
    let dynos = dynos.as_array().context("dynos are no list")?.clone();
    Ok(dynos.iter().filter_map(|dyno| dyno["id"].as_str().map(str::to_owned)).collect())
}

/// Purges the platform and passes the story's outcome on; a failed story shows the server's log.
pub(crate) async fn story(name: &str, tell: impl AsyncFnOnce(&Server) -> Result<()>) -> Result<()> {
    story_with(name, &[], tell).await
}

/// The same, with a server that has these settings.
pub(crate) async fn story_with(
    name: &str,
    settings: &[(&str, &str)],
    tell: impl AsyncFnOnce(&Server) -> Result<()>,
) -> Result<()> {
    let server = Server::start(name, settings).await?;
    let told = tell(&server).await.with_context(|| {
        let log = server.log();
        let start = log.len().saturating_sub(4000);
        format!("the server's log ends:\n{}", log.get(start..).unwrap_or(&log))
    });
    let purged = server.purge();
    told.and(purged)
}

/// A setup goes on, and its script is not run twice.
pub(crate) fn during_a_setup() -> Result<()> {
    run(story("kill-setup", crate::setups::killed_during_postdeploy))
}

/// An acknowledged build is finished by the next server, and running dynos are left alone.
pub(crate) fn during_a_build() -> Result<()> {
    run(story("kill-build", async |server| {
        let app = App::tiny(server, "killed-build", "before")?;
        app.push()?.ok()?;
        app.answers("before from web.1").await?;
        let dynos = dyno_ids(&app).await?;
        app.write_web("after")?;
        app.write(
            "package.json",
            r#"{"name":"tiny","version":"1.0.0","scripts":{"start":"node web.js","build":"echo building now; sleep 5"}}"#,
        )?;
        app.commit("second")?;
        let tarball = e2e::Output::of(
            std::process::Command::new("git")
                .args(["archive", "--format=tar.gz", "--output=../second.tgz", "HEAD"])
                .current_dir(&app.checkout),
        );
        tarball?.ok()?;
        let tarball = std::fs::read(server.folder("second.tgz"))?;
        let build = crate::failures::build_from(server, &app.name, tarball).await?;
        let stream = build["output_stream_url"].as_str().context("an output address")?.to_owned();
        wait_for_output(&stream, "building now").await?;
        server.kill_and_restart().await?;
        ensure!(dyno_ids(&app).await? == dynos, "the running dyno was not restarted");
        let path = format!("/apps/{}/builds/{}", app.name, build["id"].as_str().unwrap_or_default());
        until("the build to succeed", async || {
            let (_, build) = server.api("GET", &path, None).await.map_err(|error| format!("{error:#}"))?;
            if build["status"] == "succeeded" { Ok(()) } else { Err(build.to_string()) }
        })
        .await?;
        app.answers("after from web.1").await?;
        Ok(())
    }))
}

async fn wait_for_output(url: &str, words: &str) -> Result<()> {
    let mut seen = String::new();
    until(&format!("the output to say {words:?}"), async || {
        let answer = reqwest::get(url).await.map_err(|error| error.to_string())?;
        let mut body = answer.bytes_stream();
        while let Some(Ok(part)) = body.next().await {
            seen.push_str(&String::from_utf8_lossy(&part));
            if seen.contains(words) {
                return Ok(());
            }
        }
        Err(seen.clone())
    })
    .await
}

/// Tests are begun again, and whoever waits for them learns how they end.
pub(crate) fn during_tests() -> Result<()> {
    run(story("kill-tests", crate::testpack::killed_and_interrupted))
}

/// A release command runs at most once, and its release ends one way or the other.
pub(crate) fn during_a_release_command() -> Result<()> {
    run(story("kill-release", async |server| {
        let app = App::tiny(server, "killed-release", "before")?;
        app.push()?.ok()?;
        app.answers("before from web.1").await?;
        app.write("Procfile", "web: node web.js\nrelease: echo migrating; sleep 6; echo migrated\n")?;
        app.write_web("after")?;
        app.commit("second")?;
        let checkout = app.checkout.clone();
        let env = server.client_env()?;
        let push = std::thread::spawn(move || {
            let mut git = std::process::Command::new("git");
            e2e::Output::of(git.args(["push", "heroku", "main"]).current_dir(checkout).envs(env))
        });
        until("the release command to run", async || {
            let (_, list) = server
                .api("GET", "/apps/killed-release/releases", None)
                .await
                .map_err(|e| format!("{e:#}"))?;
            let pending = list.as_array().is_some_and(|list| list.iter().any(|r| r["status"] == "pending"));
            if pending { Ok(()) } else { Err(list.to_string()) }
        })
        .await?;
        app.logs_say("migrating").await?;
        server.kill_and_restart().await?;
        // The client that pushed has lost its connection, and may say so.
        let _ = push.join();
        app.answers("after from web.1").await?;
        let log = app.logs_say("migrated").await?;
        let runs = log.lines().filter(|line| line.ends_with(": migrating")).count();
        ensure!(runs == 1, "the release command ran {runs} times:\n{log}");
        // The same commit again: nothing to build, only the ref to move.
        app.push()?.ok()?;
        Ok(())
    }))
}

/// An acknowledged scale is carried out.
pub(crate) fn during_a_scale_up() -> Result<()> {
    run(story("kill-scale", async |server| {
        let app = App::tiny(server, "killed-scale", "scale")?;
        app.push()?.ok()?;
        app.up(&["web.1"]).await?;
        let before = dyno_ids(&app).await?;
        let body = json!({"updates": [{"type": "web", "quantity": 3}]});
        let (status, _) = server.api("PATCH", "/apps/killed-scale/formation", Some(body)).await?;
        ensure!(status == 200, "scaling: {status}");
        server.kill_and_restart().await?;
        app.up(&["web.1", "web.2", "web.3"]).await?;
        ensure!(dyno_ids(&app).await?.is_superset(&before), "web.1 was not restarted");
        Ok(())
    }))
}

/// A tail goes on where it was, without a line lost or told twice, whatever was printed meanwhile.
pub(crate) fn during_a_tail() -> Result<()> {
    run(story("kill-tail", async |server| {
        let app = App::tiny(server, "killed-tail", "tail")?;
        app.write(
            "Procfile",
            "web: node web.js\nworker: i=0; while true; do i=$((i+1)); echo count $i; sleep 0.05; done\n",
        )?;
        app.commit("counting")?;
        app.push()?.ok()?;
        app.heroku(&["ps:scale", "worker=1"])?.ok()?;
        app.up(&["web.1", "worker.1"]).await?;
        let body = json!({"tail": true, "lines": 1500, "dyno": "worker"});
        let (status, session) = server.api("POST", "/apps/killed-tail/log-sessions", Some(body)).await?;
        ensure!(status == 201, "log session: {status} {session}");
        let url = session["logplex_url"].as_str().context("a log address")?.to_owned();
        let mut tail = Tail { url, last: None, counts: Vec::new() };
        tail.read_until(40).await?;
        server.kill()?;
        // The worker goes on printing while nobody listens.
        server.start_again().await?;
        let at = tail.counts.len();
        tail.read_until(at + 80).await?;
        let expected: Vec<u64> = (tail.counts[0]..).take(tail.counts.len()).collect();
        ensure!(tail.counts == expected, "counts with gaps or repeats: {:?}", tail.counts);
        ensure!(tail.counts[0] == 1, "the first line is there: {:?}", tail.counts.first());
        Ok(())
    }))
}

/// A client of the log stream that reconnects as the specification of server-sent events says.
struct Tail {
    url: String,
    last: Option<String>,
    counts: Vec<u64>,
}

impl Tail {
    async fn read_until(&mut self, number: usize) -> Result<()> {
        until(&format!("{number} lines"), async || {
            let mut request = reqwest::Client::new().get(&self.url).header("Accept", "text/event-stream");
            if let Some(last) = &self.last {
                request = request.header("Last-Event-ID", last);
            }
            let answer = request.send().await.map_err(|error| error.to_string())?;
            let mut body = answer.bytes_stream();
            let mut text = String::new();
            while let Some(Ok(part)) = body.next().await {
                text.push_str(&String::from_utf8_lossy(&part));
                while let Some((event, rest)) = text.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.take(&event);
                    text = rest;
                    if self.counts.len() >= number {
                        return Ok(());
                    }
                }
            }
            Err(format!("{} lines", self.counts.len()))
        })
        .await
    }

    fn take(&mut self, event: &str) {
        for line in event.lines() {
            if let Some(id) = line.strip_prefix("id:") {
                self.last = Some(id.trim().to_owned());
            }
            if let Some((_, count)) = line.split_once("app[worker.1]: count ") {
                self.counts.extend(count.trim().parse::<u64>());
            }
        }
    }
}

/// Dynos go on; once the server is back, requests are answered by the same dynos.
pub(crate) fn during_steady_traffic() -> Result<()> {
    run(story("kill-traffic", async |server| {
        let app = App::tiny(server, "killed-traffic", "traffic")?;
        app.push()?.ok()?;
        app.heroku(&["ps:scale", "web=2"])?.ok()?;
        app.up(&["web.1", "web.2"]).await?;
        let before = dyno_ids(&app).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let wrong = Arc::new(std::sync::Mutex::new(Vec::new()));
        let request = app.request("GET", "/")?;
        let load = tokio::spawn({
            let (stop, answered, wrong) = (stop.clone(), answered.clone(), wrong.clone());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    let Some(request) = request.try_clone() else { return };
                    // While the server is away a connection is refused; what is answered must be right.
                    match request.send().await {
                        Ok(answer) if answer.status().is_success() => {
                            answered.fetch_add(1, Ordering::Relaxed)
                        }
                        Ok(answer) => {
                            let told =
                                format!("{} {}", answer.status(), answer.text().await.unwrap_or_default());
                            wrong.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(told);
                            0
                        }
                        Err(_) => {
                            tokio::task::yield_now().await;
                            0
                        }
                    };
                }
            }
        });
        server.kill_and_restart().await?;
        let at = answered.load(Ordering::Relaxed);
        until("traffic to flow again", async || {
            let now = answered.load(Ordering::Relaxed);
            if now > at + 50 { Ok(()) } else { Err(now) }
        })
        .await?;
        stop.store(true, Ordering::Relaxed);
        load.await?;
        let wrong = wrong.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        ensure!(wrong.is_empty(), "{} requests were answered wrongly: {:?}", wrong.len(), wrong.first());
        ensure!(dyno_ids(&app).await? == before, "no dyno was restarted");
        let (status, info) = server.api("GET", "/apps/killed-traffic", None).await?;
        ensure!(status == 200 && info["name"] == "killed-traffic", "{info}");
        Ok(())
    }))
}
