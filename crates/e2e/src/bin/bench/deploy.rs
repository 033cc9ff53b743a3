//! A push of changed code with an unchanged lockfile, from `git push` to the first answer of the
//! new release, split by what happens in between. Beside it the bare sum of what nobody can save a
//! user who deploys by hand: installing from a warm cache, and the app's own start.

use crate::figures::{median, ratio, say};
use crate::push::Push;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server};
use reqwest::Client;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;
/// How often a page is asked for until it is the one that is waited for.
const LOOK: Duration = Duration::from_millis(5);

/// The phases of a push, each with the words of the push's own output by which it has ended.
const PHASES: [(&str, &str); 6] = [
    ("git: connect, send, receive", "Compressing source files"),
    ("take the source, queue the build", "-----> Building on"),
    ("choose versions, start the container", "-----> Creating runtime environment"),
    ("build inside, hand back the tree", "-----> Compressing..."),
    ("pack the app's layer", "Done: "),
    ("make the release", "Released v"),
];

/// Seconds of one round.
#[derive(Default)]
struct Figures {
    /// When each of [`PHASES`] had ended, from the start.
    marks: Vec<Vec<f64>>,
    pushed: Vec<f64>,
    live: Vec<f64>,
    asked: Vec<f64>,
    installed: Vec<f64>,
    booted: Vec<f64>,
}

pub(crate) fn deploy() -> Result<()> {
    crate::block_on(async {
        let server = Server::start("bench-deploy", &[]).await?;
        let app = App::example(&server, "bench-deploy", "node-hello")?;
        app.write("Procfile", "web: node server.js\n")?;
        app.commit("web only")?;
        let cold = Instant::now();
        app.push()?.ok()?;
        if let Err(error) = app.up(&["web.1"]).await {
            anyhow::bail!("{error:#}\n{}", app.heroku(&["logs"])?.all());
        }
        say(&format!("first push, nothing cached               {:.1} s", cold.elapsed().as_secs_f64()));
        let bare = server.folder("bare");
        Output::of(Command::new("cp").arg("-r").arg(&app.checkout).arg(&bare))?.ok()?;
        let node = node_of_dynos(&server)?;
        let mut figures = Figures::default();
        // One for all: making one reads every certificate of the machine.
        let client = Client::new();
        for number in 1..=ROUNDS {
            round(&mut figures, &app, &client, number).await?;
            figures.asked.push(ask_official_cli(&app)?);
            figures.installed.push(install(&bare)?);
            figures.booted.push(boot(&client, &node, &bare).await?);
        }
        report(&figures);
        server.purge()
    })
}

/// One push of changed code; ends when the new release has answered and the old dyno is gone.
async fn round(figures: &mut Figures, app: &App<'_>, client: &Client, number: usize) -> Result<()> {
    let example = std::fs::read_to_string(e2e::server::workspace().join("examples/node-hello/server.js"))?;
    let word = format!("round {number}:");
    ensure!(example.contains("`Hello from"), "the example says hello no more");
    app.write("server.js", &example.replace("`Hello from", &format!("`{word} hello from")))?;
    app.commit(&word)?;
    let command = Push::command(app)?;
    let start = Instant::now();
    let push = std::thread::spawn(move || Push::watch(command, start));
    let page = format!("http://{}/", app.server.router);
    let live = async {
        loop {
            let request = client.get(&page).header("Host", format!("{}.localhost", app.name));
            if request.send().await?.text().await?.contains(&word) {
                return anyhow::Ok(start.elapsed().as_secs_f64());
            }
            // Looking more often would take processor time from what is measured.
            tokio::time::sleep(LOOK).await;
        }
    };
    figures.live.push(tokio::time::timeout(Duration::from_mins(2), live).await.context("not live")??);
    let push = push.join().map_err(|_| anyhow::anyhow!("watching the push broke off"))??;
    figures.pushed.push(push.took);
    figures.marks.push(PHASES.iter().map(|(_, words)| push.mark(words)).collect::<Result<_>>()?);
    app.up(&["web.1"]).await
}

fn report(figures: &Figures) {
    let Figures { marks, pushed, live, asked, installed, booted } = figures;
    say(&format!("push of changed code, unchanged lockfile (medians of {ROUNDS})"));
    let ended = |round: &Vec<f64>, phase: usize| round.get(phase).copied().unwrap_or(f64::NAN);
    for (phase, (name, _)) in PHASES.iter().enumerate() {
        let began = |round: &Vec<f64>| if phase == 0 { 0.0 } else { ended(round, phase - 1) };
        let took: Vec<f64> = marks.iter().map(|round| ended(round, phase) - began(round)).collect();
        say(&format!("  {name:<38} {:.2} s", median(&took)));
    }
    let start: Vec<f64> =
        marks.iter().zip(live).map(|(round, live)| live - ended(round, PHASES.len() - 1)).collect();
    say(&format!("  {:<38} {:.2} s", "start the dyno, until it answers", median(&start)));
    say(&format!("push to live                             {:.2} s", median(live)));
    say(&format!("git push returns after                   {:.2} s", median(pushed)));
    say(&format!("  (without the official CLI's credential helper, which takes {:.2} s)", median(asked)));
    let bare: Vec<f64> = installed.iter().zip(booted).map(|(install, boot)| install + boot).collect();
    say(&format!(
        "bare npm ci {:.2} s + app start {:.2} s     push to live / bare = {:.2}",
        median(installed),
        median(booted),
        ratio(live, &bare)
    ));
    let own: Vec<f64> = live.iter().zip(booted).map(|(live, boot)| live - boot).collect();
    say(&format!("platform's own share (live less start)   {:.2} s   (aim ≤ 1.5 s)", median(&own)));
}

/// What git does before a push when `heroku` has set it up.
fn ask_official_cli(app: &App<'_>) -> Result<f64> {
    let start = Instant::now();
    app.heroku(&["git:credentials", "get"])?;
    Ok(start.elapsed().as_secs_f64())
}

fn install(folder: &Path) -> Result<f64> {
    let start = Instant::now();
    let mut npm = Command::new("npm");
    Output::of(npm.args(["ci", "--prefer-offline", "--no-audit", "--no-fund"]).current_dir(folder))?.ok()?;
    Ok(start.elapsed().as_secs_f64())
}

/// The Node.js that dynos run, so that the bare start differs in nothing but the platform.
fn node_of_dynos(server: &Server) -> Result<PathBuf> {
    let layers = std::fs::read_dir(server.data().join("layers"))?;
    let programs = layers.map(|layer| Ok(layer?.path().join("tree/app/.heroku/node/bin/node")));
    let programs: Vec<PathBuf> = programs.collect::<Result<_>>()?;
    programs.into_iter().find(|path| path.is_file()).context("no layer with Node.js")
}

/// Starts the app without any platform and times its first answer.
async fn boot(client: &Client, node: &Path, folder: &Path) -> Result<f64> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let start = Instant::now();
    let mut child = Command::new(node)
        .arg("server.js")
        .current_dir(folder)
        .env("PORT", port.to_string())
        .env("NODE_ENV", "production")
        .stdout(Stdio::null())
        .spawn()?;
    let answer = async {
        while client.get(format!("http://127.0.0.1:{port}/")).send().await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let up = tokio::time::timeout(Duration::from_mins(1), answer).await;
    let took = start.elapsed().as_secs_f64();
    child.kill()?;
    child.wait()?;
    up.context("the bare app does not answer")?;
    Ok(took)
}
