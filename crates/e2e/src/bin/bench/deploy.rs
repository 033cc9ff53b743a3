//! A push of changed code with an unchanged lockfile, from `git push` to the first answer of the
//! new release, against the bare sum of what nobody can save: installing from a warm cache and
//! the app's own start.

use crate::figures::{median, ratio, say};
use anyhow::Result;
use e2e::{App, Output, Server};
use std::process::Command;
use std::time::Instant;

const ROUNDS: usize = 5;

pub(crate) fn deploy() -> Result<()> {
    crate::block_on(async {
        let server = Server::start("bench-deploy", &[]).await?;
        let app = App::example(&server, "bench-deploy", "node-hello")?;
        app.write("Procfile", "web: node web.js\n")?;
        app.commit("web only")?;
        let cold = Instant::now();
        app.push()?.ok()?;
        say(&format!("first push                      {:.1} s", cold.elapsed().as_secs_f64()));
        let bare = server.folder("bare");
        Output::of(Command::new("cp").arg("-r").arg(&app.checkout).arg(&bare))?.ok()?;
        let (mut pushed, mut live, mut installed, mut booted) = (vec![], vec![], vec![], vec![]);
        for round in 1..=ROUNDS {
            app.write("round.txt", &format!("{round}\n"))?;
            app.commit(&format!("round {round}"))?;
            let version = latest_version(&app).await? + 1;
            let start = Instant::now();
            app.push()?.ok()?;
            pushed.push(start.elapsed().as_secs_f64());
            serves(&app, version).await?;
            live.push(start.elapsed().as_secs_f64());
            let start = Instant::now();
            Output::of(
                Command::new("npm")
                    .args(["ci", "--prefer-offline", "--no-audit", "--no-fund"])
                    .current_dir(&bare),
            )?
            .ok()?;
            installed.push(start.elapsed().as_secs_f64());
            booted.push(boot(&bare).await?);
        }
        let bare: Vec<f64> = installed.iter().zip(&booted).map(|(install, boot)| install + boot).collect();
        let own: Vec<f64> = live.iter().zip(&booted).map(|(live, boot)| live - boot).collect();
        say(&format!("git push until it returns       {:.2} s", median(&pushed)));
        say(&format!("git push until the new dyno serves {:.2} s", median(&live)));
        say(&format!(
            "bare `npm ci` {:.2} s + boot {:.2} s   push-to-live / bare = {:.2}",
            median(&installed),
            median(&booted),
            ratio(&live, &bare)
        ));
        say(&format!("platform's own share (push-to-live less boot) {:.2} s   (aim ≤ 1.5 s)", median(&own)));
        server.purge()
    })
}

async fn latest_version(app: &App<'_>) -> Result<u64> {
    let (_, releases) = app.server.api("GET", &format!("/apps/{}/releases", app.name), None).await?;
    Ok(releases
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|release| release["version"].as_u64())
        .max()
        .unwrap_or(0))
}

/// Waits until the only web dyno is the new release's and it is up.
async fn serves(app: &App<'_>, version: u64) -> Result<()> {
    e2e::until("the new release to serve", async || {
        let dynos = app.dynos().await.map_err(|error| format!("{error:#}"))?;
        let up = dynos.iter().any(|(name, state, of)| name == "web.1" && state == "up" && *of == version);
        if up { Ok(()) } else { Err(format!("{dynos:?}")) }
    })
    .await
}

/// Starts the app without any platform and times its first answer.
async fn boot(folder: &std::path::Path) -> Result<f64> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let start = Instant::now();
    let mut child = Command::new("node")
        .arg("web.js")
        .current_dir(folder)
        .env("PORT", port.to_string())
        .env("DYNO", "web.1")
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let up = e2e::until("the bare app to listen", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())
    })
    .await;
    let took = start.elapsed().as_secs_f64();
    child.kill()?;
    child.wait()?;
    up?;
    Ok(took)
}
