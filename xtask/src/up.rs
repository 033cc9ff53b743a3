//! `cargo xtask up`: from a checkout to a running platform with an app on it.
//!
//! Everything it makes lives in `.kigo/` of the checkout; `cargo xtask down --purge` removes it.

use crate::packages::{SERVER, install, require_root};
use crate::shell::{read, run, say, step};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const APP: &str = "node-hello";

/// What `up` uses and leaves behind.
struct Place {
    root: PathBuf,
}

impl Place {
    fn new() -> Result<Self> {
        Ok(Self { root: std::path::absolute(".kigo")? })
    }
    fn data(&self) -> PathBuf {
        self.root.join("data")
    }
    fn pid_file(&self) -> PathBuf {
        self.root.join("server.pid")
    }
    fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }
    fn token_file(&self) -> PathBuf {
        self.root.join("token")
    }
    fn password_file(&self) -> PathBuf {
        self.root.join("password")
    }
    /// The pid of the server that `up` started, if it still runs.
    fn running(&self) -> Option<String> {
        let pid = fs::read_to_string(self.pid_file()).ok()?.trim().to_owned();
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        program.file_name()?.to_str()?.starts_with("kigo").then_some(pid)
    }
}

/// Sets everything up and says how to go on.
pub(crate) fn up() -> Result<()> {
    require_root("running containers")?;
    install(&[SERVER])?;
    step("building kigo (the first time takes a few minutes)");
    run(Command::new("cargo").args(["build", "--release", "--package", "kigo"]))?;
    let kigo = std::path::absolute("target/release/kigo")?;
    let place = Place::new()?;
    fs::create_dir_all(&place.root)?;
    let token = secret(&place.token_file(), "KIGO-")?;
    let password = secret(&place.password_file(), "")?;
    if place.running().is_none() {
        start(&kigo, &place, &token, &password)?;
    }
    let endpoints = wait_until_ready(&kigo, &place)?;
    let url = deploy_sample(&kigo, &place, &endpoints, &token)?;
    explain(&kigo, &place, &endpoints, &url);
    Ok(())
}

/// Stops the server; its dynos keep running unless `purge` removes everything.
pub(crate) fn down(purge: bool) -> Result<()> {
    let place = Place::new()?;
    if let Some(pid) = place.running() {
        step("stopping the server");
        run(Command::new("kill").args(["-TERM", &pid]))?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while place.running().is_some() {
            if Instant::now() > deadline {
                bail!("the server (pid {pid}) does not end; see {}", place.log().display());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    if purge && place.data().exists() {
        step("removing dynos and data");
        run(Command::new("target/release/kigo")
            .arg("purge")
            .arg("--data-dir")
            .arg(place.data())
            .arg("--yes"))?;
        fs::remove_dir_all(&place.root)?;
    }
    Ok(())
}

/// A secret of this checkout, made once and readable by its owner alone.
fn secret(path: &Path, prefix: &str) -> Result<String> {
    use std::io::{Read, Write};
    use std::os::unix::fs::OpenOptionsExt;
    if let Ok(text) = fs::read_to_string(path) {
        return Ok(text.trim().to_owned());
    }
    let mut bytes = [0; 24];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let text = bytes.iter().fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    Ok(text)
}

fn start(kigo: &Path, place: &Place, token: &str, password: &str) -> Result<()> {
    step("starting the platform");
    let log = fs::OpenOptions::new().create(true).append(true).open(place.log())?;
    // `setsid` lets the server outlive this terminal.
    let child = Command::new("setsid")
        .arg(kigo)
        .args(["server", "--data-dir"])
        .arg(place.data())
        .env("KIGO_ADMIN_EMAIL", "admin@localhost")
        .env("KIGO_ADMIN_PASSWORD", password)
        .env("KIGO_ADMIN_TOKEN", token)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start the server")?;
    fs::write(place.pid_file(), child.id().to_string())?;
    Ok(())
}

/// Where the server can be reached, as it wrote it down itself.
struct Endpoints {
    api: String,
}

fn wait_until_ready(kigo: &Path, place: &Place) -> Result<Endpoints> {
    step("preparing the stack image (the first time fetches Debian's packages, a minute or two)");
    let mut shown = 0;
    loop {
        shown = show_progress(&place.log(), shown);
        if let Ok(text) = fs::read_to_string(place.data().join("endpoints.json")) {
            let written: Value = serde_json::from_str(&text).context("endpoints.json is damaged")?;
            let api = written["api_url"].as_str().context("endpoints.json names no API")?.to_owned();
            let ready = Command::new("curl")
                .args([
                    "--silent",
                    "--fail",
                    "--max-time",
                    "5",
                    "--output",
                    "/dev/null",
                    &format!("{api}/readyz"),
                ])
                .status()?;
            if ready.success() {
                return Ok(Endpoints { api });
            }
        }
        if place.running().is_none() {
            show_progress(&place.log(), 0);
            bail!("{} ended while starting; its log is {}", kigo.display(), place.log().display());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Shows the lines that the server has added to its log; returns how far it got.
fn show_progress(log: &Path, from: usize) -> usize {
    let Ok(text) = fs::read(log) else { return from };
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(from, |at| at + 1).max(from);
    for line in String::from_utf8_lossy(&text[from.min(end)..end]).lines() {
        say(&format!("    {line}"));
    }
    end
}

fn deploy_sample(kigo: &Path, place: &Place, endpoints: &Endpoints, token: &str) -> Result<String> {
    step("deploying the sample app");
    let kigo = |words: &[&str]| {
        let mut command = Command::new(kigo);
        command.args(words).env("KIGO_API_URL", &endpoints.api).env("KIGO_API_KEY", token);
        command
    };
    if read(&mut kigo(&["info", "--app", APP, "--json"])).is_err() {
        run(&mut kigo(&["create", APP, "--no-remote"]))?;
    }
    let checkout = place.root.join(APP);
    if !checkout.exists() {
        run(Command::new("cp").arg("-r").arg("examples/node-hello").arg(&checkout))?;
        git(&checkout, &["init", "--quiet", "--initial-branch=main"])?;
        git(&checkout, &["add", "--all"])?;
        git(&checkout, &["commit", "--quiet", "--message=A first version"])?;
    }
    let authority = endpoints.api.split_once("://").map_or("", |(_, rest)| rest);
    let remote = format!("https://{authority}/{APP}.git");
    let certificate = format!("http.sslCAInfo={}", place.data().join("ca/ca.pem").display());
    // The token reaches git through a credential helper's environment, so that it is in no
    // command line and no file.
    run(Command::new("git").current_dir(&checkout).env("KIGO_API_KEY", token).args([
        "-c",
        &certificate,
        "-c",
        "credential.helper=",
        "-c",
        "credential.helper=!f() { echo username=kigo; echo \"password=$KIGO_API_KEY\"; }; f",
        "push",
        &remote,
        "main",
    ]))?;
    run(&mut kigo(&["ps:scale", "web=1", "worker=1", "--app", APP]))?;
    let info = read(&mut kigo(&["info", "--app", APP, "--json"]))?;
    let info: Value = serde_json::from_str(&info).context("`kigo info --json` printed something else")?;
    let url = info["web_url"].as_str().or_else(|| info["app"]["web_url"].as_str());
    Ok(url.context("the app has no address")?.to_owned())
}

fn git(folder: &Path, words: &[&str]) -> Result<()> {
    run(Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Kigo", "-c", "user.email=admin@localhost"])
        .args(words))
}

fn explain(kigo: &Path, place: &Place, endpoints: &Endpoints, url: &str) {
    say(&format!(
        "
Kigo is up.

  the sample app     {url}
  its source         {checkout}
  the API            {api}

To use the official Heroku CLI (npm install --global heroku) in this shell:

  eval \"$({kigo} env --data-dir {data})\"
  export HEROKU_API_KEY=$(cat {token})      # or: heroku login -i   as admin@localhost, password in {password}
  heroku logs --tail --app {APP}

The same commands without Node: {kigo} logs --tail --app {APP}
The server's own log: {log}. Stop it with: cargo xtask down
",
        checkout = place.root.join(APP).display(),
        api = endpoints.api,
        kigo = kigo.display(),
        data = place.data().display(),
        token = place.token_file().display(),
        password = place.password_file().display(),
        log = place.log().display(),
    ));
}
