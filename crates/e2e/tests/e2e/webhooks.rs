//! Webhooks with the official CLI: added, told, refused and told again, listed, removed; and a server that
//! is killed before it could tell.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Asked, OtherSide, Reply, Server, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What was told of an entity so far, as `action resource`.
fn told(side: &OtherSide, resource: &str) -> Vec<Asked> {
    side.asked().into_iter().filter(|one| one.json()["resource"] == resource).collect()
}

async fn comes(side: &OtherSide, resource: &str, action: &str) -> Result<Asked> {
    until(&format!("{action} of {resource}"), async || {
        let all = told(side, resource);
        all.iter().rev().find(|one| one.json()["action"] == action).cloned().ok_or_else(|| side.lines().len())
    })
    .await
}

/// What an app goes through is told, signed.
pub(crate) fn what_happens_is_told() -> Result<()> {
    run(async {
        let server = Server::start("webhooks", &[("KIGO_SOURCE_NETWORKS", "127.0.0.1/32")]).await?;
        let done = events(&server).await;
        let purged = server.purge();
        done.and(purged)
    })
}

async fn events(server: &Server) -> Result<()> {
    let failures = Arc::new(AtomicUsize::new(1));
    let left = failures.clone();
    let side = OtherSide::start(move |_| {
        let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        Reply::With(if fails { 500 } else { 204 }, String::new())
    })
    .await?;
    let app = App::tiny(server, "herald", "hello")?;
    app.heroku(&["webhooks"])?.ok()?.says("has no webhooks")?;
    let include = "api:release,api:build,api:app,api:domain,api:formation,dyno";
    let url = format!("{}/hooks", side.url());
    let added = ["webhooks:add", "-i", include, "-l", "sync", "-u", &url, "-s", "geheim", "-t", "Bearer x"];
    app.heroku(&added)?.ok()?.says("geheim")?;
    app.heroku(&["webhooks"])?.ok()?.says("sync")?.says(&url)?;

    app.heroku(&["domains:add", "herald.example.com"])?;
    let first = comes(&side, "domain", "create").await?;
    ensure!(first.json()["data"]["hostname"] == "herald.example.com", "{}", first.body);
    ensure!(first.header("authorization") == "Bearer x", "{first:?}");
    ensure!(first.header("heroku-webhook-hmac-sha256").len() == 44, "{first:?}");
    // The first attempt was refused.
    until("it is told again", async || match told(&side, "domain").len() {
        count if count >= 2 => Ok(()),
        count => Err(count),
    })
    .await?;
    let twice = told(&side, "domain");
    let delivery = |one: &Asked| one.json()["webhook_metadata"]["delivery"]["id"].to_string();
    ensure!(delivery(&twice[0]) == delivery(&twice[1]), "another delivery");

    app.push()?.ok()?;
    app.answers("hello").await?;
    let release = comes(&side, "release", "create").await?.json();
    ensure!(release["actor"]["email"] == e2e::server::EMAIL, "{release}");
    comes(&side, "build", "update").await?;
    comes(&side, "formation", "update").await?;
    until("a dyno to be up", async || {
        let up = told(&side, "dyno").iter().any(|one| one.json()["data"]["state"] == "up");
        if up { Ok(()) } else { Err(()) }
    })
    .await?;
    until("all to be told", async || {
        let list = app.heroku(&["webhooks:deliveries"]).map_err(|error| format!("{error:#}"))?.stdout;
        let over = list.contains("succeeded") && !list.contains("pending") && !list.contains("retrying");
        if over { Ok(()) } else { Err(list) }
    })
    .await?;
    app.heroku(&["webhooks:deliveries", "--status", "failed"])?.ok()?.says("has no deliveries")?;
    let id = delivery(&twice[0]).trim_matches('"').to_owned();
    app.heroku(&["webhooks:deliveries:info", &id])?.ok()?.says("herald.example.com")?.says("succeeded")?;
    app.heroku(&["webhooks:events"])?.ok()?.says("domain")?;
    managed(server, &app, &side, &url).await
}

/// Changed, removed, and the last word about an app that is gone.
async fn managed(server: &Server, app: &App<'_>, side: &OtherSide, url: &str) -> Result<()> {
    let (_, list) = server.api("GET", "/apps/herald/webhooks", None).await?;
    let id = list[0]["id"].as_str().with_context(|| list.to_string())?.to_owned();
    app.heroku(&["webhooks:update", &id, "-i", "api:app", "-l", "notify", "-u", url])?.ok()?;
    app.heroku(&["webhooks:info", &id])?.ok()?.says("api:app")?.says("notify")?;
    let inner = ["webhooks:add", "-i", "api:app", "-l", "notify", "-u", "http://169.254.169.254/x"];
    app.heroku(&inner)?.ok()?;
    app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
    let last = comes(side, "app", "destroy").await?.json();
    ensure!(last["data"]["name"] == "herald", "{last}");
    Ok(())
}

/// What was acknowledged before a kill is told after it.
pub(crate) fn told_by_the_next_server() -> Result<()> {
    run(async {
        let server = Server::start("kill-webhook", &[("KIGO_SOURCE_NETWORKS", "127.0.0.1/32")]).await?;
        let done = killed(&server).await;
        let purged = server.purge();
        done.and(purged)
    })
}

async fn killed(server: &Server) -> Result<()> {
    let side = OtherSide::start(|_| Reply::Never).await?;
    let app = App::create(server, "herald")?;
    let url = format!("{}/hooks", side.url());
    app.heroku(&["webhooks:add", "-i", "api:release", "-l", "notify", "-u", &url])?.ok()?;
    app.heroku(&["config:set", "ONE=1"])?.ok()?;
    until("it is being told", async || if side.asked().is_empty() { Err(()) } else { Ok(()) }).await?;
    app.heroku(&["config:set", "TWO=2"])?.ok()?;
    server.kill()?;
    side.answers(|_| Reply::With(200, String::new()));
    server.start_again().await?;
    for description in ["Set ONE config vars", "Set TWO config vars"] {
        until(description, async || {
            let told =
                side.asked().iter().filter(|one| one.json()["data"]["description"] == description).count();
            if told >= 1 { Ok(()) } else { Err(side.lines().len()) }
        })
        .await?;
    }
    let list = app.heroku(&["webhooks:deliveries"])?.ok()?;
    list.says("api:release")?;
    Ok(())
}
