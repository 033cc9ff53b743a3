//! `cargo xtask up`: from a checkout to a running platform with an app on it.
//!
//! Everything it makes lives in `.kigo/` of the checkout; `cargo xtask down --purge` removes it.

use crate::packages::{SERVER, install, require_root};
use crate::shell::{read, run, say, step};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The sample app, as its folder in `examples/` is called.
const APP: &str = "node-hello";
/// Who signs in.
const ADMIN: &str = "admin@localhost";
/// A server that was told to end lets open requests end first, for 45 seconds at most.
const END: Duration = Duration::from_mins(1);

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
    /// The sample app's own repository.
    fn checkout(&self) -> PathBuf {
        self.root.join(APP)
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
    step("building kigo (the first time takes several minutes)");
    run(Command::new("cargo").args(["build", "--release", "--package", "kigo"]))?;
    let kigo = built()?;
    let place = Place::new()?;
    fs::create_dir_all(&place.root)?;
    let token = secret(&place.token_file(), "KIGO-")?;
    let password = secret(&place.password_file(), "")?;
    if let Some(pid) = place.running()
        && !runs(&pid, &kigo)
    {
        step("ending the server of an older build; dynos run on");
        end(&place, &pid)?;
    }
    let log = if place.running().is_none() {
        step("starting the server");
        start(&kigo, &place, &token, &password)?
    } else {
        step("the server runs already");
        size(&place.log())
    };
    let api = wait_until_ready(&kigo, &place, log)?;
    let url = deploy_sample(&kigo, &place, &api, &token)?;
    explain(&kigo, &place, &api, &url);
    Ok(())
}

/// Stops the server; its dynos keep running unless `purge` removes everything.
pub(crate) fn down(purge: bool) -> Result<()> {
    require_root("ending what runs as root")?;
    let place = Place::new()?;
    if let Some(pid) = place.running() {
        step("ending the server");
        end(&place, &pid)?;
    }
    if !purge {
        say(
            "The server is down. Dynos run on, but nobody reaches them until `cargo xtask up` starts it again.",
        );
        return Ok(());
    }
    if place.data().exists() {
        step("ending dynos, removing apps and data");
        let kigo = built()?;
        if !kigo.exists() {
            run(Command::new("cargo").args(["build", "--release", "--package", "kigo"]))?;
        }
        run(Command::new(&kigo).arg("purge").arg("--data-dir").arg(place.data()).arg("--yes"))?;
    }
    if place.root.exists() {
        fs::remove_dir_all(&place.root)?;
    }
    say("Nothing of Kigo is left but this checkout and what cargo built.");
    Ok(())
}

/// Where cargo puts the program; the folder can be set in several ways, so cargo is asked.
fn built() -> Result<PathBuf> {
    let metadata = read(Command::new("cargo").args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata printed something else")?;
    let target = metadata["target_directory"].as_str().context("cargo has no target directory")?;
    Ok(Path::new(target).join("release/kigo"))
}

/// Whether a process runs this very file, and not one that a later build has replaced.
fn runs(pid: &str, program: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).map(|data| (data.dev(), data.ino())).ok();
    file(Path::new(&format!("/proc/{pid}/exe"))) == file(program)
}

/// Asks the server to end and waits until it has.
fn end(place: &Place, pid: &str) -> Result<()> {
    run(Command::new("kill").args(["-TERM", pid]))?;
    let deadline = Instant::now() + END;
    while place.running().is_some() {
        if Instant::now() > deadline {
            bail!("the server (pid {pid}) does not end; see {}", place.log().display());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// A secret of this checkout, made once and readable by its owner alone.
fn secret(path: &Path, prefix: &str) -> Result<String> {
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

/// Starts the server; returns where its log begins in the file.
fn start(kigo: &Path, place: &Place, token: &str, password: &str) -> Result<u64> {
    let log = fs::OpenOptions::new().create(true).append(true).open(place.log())?;
    let begin = size(&place.log());
    // What an earlier server wrote down would be taken for the new one's.
    let _ = fs::remove_file(place.data().join("endpoints.json"));
    let child = Command::new(kigo)
        .args(["server", "--data-dir"])
        .arg(place.data())
        .env("KIGO_ADMIN_EMAIL", ADMIN)
        .env("KIGO_ADMIN_PASSWORD", password)
        .env("KIGO_ADMIN_TOKEN", token)
        // Set for clients by `kigo env`; a server would take it for its own address.
        .env_remove("KIGO_API_URL")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Out of reach of this terminal's Ctrl-C.
        .process_group(0)
        .spawn()
        .context("cannot start the server")?;
    fs::write(place.pid_file(), child.id().to_string())?;
    Ok(begin)
}

/// Waits until the server can build; shows what it logs from `shown` on. Returns its API's address.
fn wait_until_ready(kigo: &Path, place: &Place, mut shown: u64) -> Result<String> {
    loop {
        shown = show_progress(&place.log(), shown);
        if place.running().is_none() {
            show_progress(&place.log(), shown);
            bail!("{} ended while starting; its log is {}", kigo.display(), place.log().display());
        }
        if let Ok(text) = fs::read_to_string(place.data().join("endpoints.json")) {
            let written: Value = serde_json::from_str(&text).context("endpoints.json is damaged")?;
            let api = written["api_url"].as_str().context("endpoints.json names no API")?.to_owned();
            let mut ask = Command::new("curl");
            ask.args(["--silent", "--fail", "--max-time", "5", "--output", "/dev/null"]);
            if ask.arg(format!("{api}/readyz")).status()?.success() {
                show_progress(&place.log(), shown);
                return Ok(api);
            }
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |data| data.len())
}

/// Shows the lines that the server has added to its log; returns how far it got.
fn show_progress(log: &Path, from: u64) -> u64 {
    let mut text = Vec::new();
    let read = fs::File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut text)
    });
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if read.is_err() {
        return from;
    }
    for line in String::from_utf8_lossy(&text[..whole]).lines() {
        // Times and the level of ordinary lines are for the log.
        say(&format!("    {}", line.split_once("Z  INFO ").map_or(line, |(_, words)| words)));
    }
    from + whole as u64
}

/// Deploys the sample app unless that was done before; returns its address.
fn deploy_sample(kigo: &Path, place: &Place, api: &str, token: &str) -> Result<String> {
    let client = |words: &[&str]| {
        let mut command = Command::new(kigo);
        command.args(words).env("KIGO_API_URL", api).env("KIGO_API_KEY", token);
        command
    };
    let info = || -> Result<Value> {
        let text = read(&mut client(&["info", "--app", APP, "--json"]))?;
        let all: Value = serde_json::from_str(&text).context("`kigo info --json` printed something else")?;
        Ok(all["app"].clone())
    };
    let before = info().unwrap_or_default();
    // What is deployed already is left as its owner has made it.
    if before["slug_size"].is_null() {
        step("deploying the sample app");
        if before.is_null() {
            run(&mut client(&["create", APP, "--no-remote"]))?;
            // The sample's page tells which release it is.
            run(&mut client(&["features:enable", "runtime-dyno-metadata", "--app", APP]))?;
        }
        push_sample(kigo, place, api, token)?;
        run(&mut client(&["ps:scale", "web=1", "worker=1", "--app", APP]))?;
    }
    let url = info()?["web_url"].as_str().context("the app has no address")?.trim_end_matches('/').to_owned();
    step("asking it for its page");
    // The router lets a request wait until a dyno has started.
    let mut ask = Command::new("curl");
    ask.args(["--silent", "--show-error", "--fail", "--max-time", "75", "--output", "/dev/null", &url]);
    if !ask.status()?.success() {
        say(&format!("It does not answer yet. Its log: {} logs --app {APP}", kigo.display()));
    }
    Ok(url)
}

/// Makes a repository of the sample app, with a remote `heroku`, and pushes it.
fn push_sample(kigo: &Path, place: &Place, api: &str, token: &str) -> Result<()> {
    let checkout = place.checkout();
    let authority = api.split_once("://").map_or(api, |(_, rest)| rest);
    if !checkout.join(".git").exists() {
        run(Command::new("cp").args(["-r", "-T"]).arg(Path::new("examples").join(APP)).arg(&checkout))?;
        git(&checkout, &["init", "--quiet", "--initial-branch=main"])?;
        git(&checkout, &["add", "--all"])?;
        git(&checkout, &["commit", "--quiet", "--message=A first version"])?;
        git(&checkout, &["remote", "add", "heroku", &format!("https://{authority}/{APP}.git")])?;
        // The official CLI sets a helper of its own; without it this one hands git the token.
        let key = format!("credential.https://{authority}.helper");
        git(&checkout, &["config", &key, &format!("!'{}' git:credentials", kigo.display())])?;
    }
    // The token reaches git through the helper's environment, so that it is in no command line.
    // The certificate's variable wins over every configuration of git's.
    run(Command::new("git")
        .current_dir(&checkout)
        .env("KIGO_API_URL", api)
        .env("KIGO_API_KEY", token)
        .env("GIT_SSL_CAINFO", place.data().join("ca/ca.pem"))
        .args(["push", "heroku", "main"]))
}

fn git(folder: &Path, words: &[&str]) -> Result<()> {
    run(Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Kigo", "-c", "user.email=admin@localhost", "-c", "commit.gpgsign=false"])
        .args(words))
}

/// What a newcomer needs. Each line of the shell part can be pasted as it stands.
fn explain(kigo: &Path, place: &Place, api: &str, url: &str) {
    say(&format!(
        "
Kigo is up.

  the sample app    {url}
  its source        {checkout}
  the API           {api}   (for the CLI and git; there is no dashboard yet)
  the server's log  {log}

Go on in this shell, with the official CLI (`npm install --global heroku@11`; needs Node.js 20 or later):

  eval \"$({kigo} env --data-dir {data})\"
  export HEROKU_API_KEY=$(cat {token})
  cd {checkout}
  heroku ps
  heroku logs --tail

Instead of the key: `heroku login -i` as {ADMIN}, with the password in {password}
Without Node.js: {kigo} has the same commands, `kigo ps`, `kigo logs --tail` and so on.

  cargo xtask down           ends the server; dynos run on, and `cargo xtask up` finds them again
  cargo xtask down --purge   ends and removes everything, apps and their data as well",
        checkout = place.checkout().display(),
        kigo = kigo.display(),
        data = place.data().display(),
        token = place.token_file().display(),
        password = place.password_file().display(),
        log = place.log().display(),
    ));
}
