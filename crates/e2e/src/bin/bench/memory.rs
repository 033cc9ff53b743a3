//! Resident memory of the server: with nothing on it, and with fifty idle apps.

use crate::figures::say;
use anyhow::{Context, Result, ensure};
use e2e::{App, Server};
use serde_json::json;

const APPS: usize = 50;

pub(crate) fn memory() -> Result<()> {
    crate::block_on(async {
        let server = Server::start("bench-memory", &[]).await?;
        say(&format!("resident memory   no app      {:.0} MB", megabytes(server.resident()?)));
        let first = App::tiny(&server, "idle-0", "idle")?;
        first.push()?.ok()?;
        first.up(&["web.1"]).await?;
        let (_, releases) = server.api("GET", "/apps/idle-0/releases", None).await?;
        let slug = releases
            .as_array()
            .and_then(|list| list.iter().rev().find_map(|release| release["slug"]["id"].as_str()))
            .context("the first app has a slug")?
            .to_owned();
        for number in 1..APPS {
            // The same slug for every app: releasing is what is wanted here, not building.
            let name = format!("idle-{number}");
            let (status, made) = server.api("POST", "/apps", Some(json!({ "name": name }))).await?;
            ensure!(status == 201, "{status} {made}");
            let path = format!("/apps/{name}/releases");
            let (status, made) = server.api("POST", &path, Some(json!({ "slug": slug }))).await?;
            ensure!(status == 201, "{status} {made}");
        }
        for number in 1..APPS {
            let app =
                App { server: &server, name: format!("idle-{number}"), checkout: first.checkout.clone() };
            app.answers("idle from web.1").await?;
        }
        say(&format!(
            "resident memory   {APPS} apps     {:.0} MB   (aim ≤ 60 MB)",
            megabytes(server.resident()?)
        ));
        server.purge()
    })
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
