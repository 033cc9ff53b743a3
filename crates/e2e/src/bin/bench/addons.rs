//! How long an add-on takes until it can be used, beside what somebody would type who has the same
//! programs on the same machine: a role and a database in the server that is there, or a server of one's
//! own. And what one costs that nobody uses.

use crate::figures::{median, ratio, say};
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const LOOK: Duration = Duration::from_millis(5);

pub(crate) fn addons() -> Result<()> {
    crate::block_on(async {
        let server = Server::start("bench-addons", &[]).await?;
        App::tiny(&server, "bench-addons", "bench")?;
        let begun = Instant::now();
        for plan in ["heroku-postgresql:mini", "heroku-redis:mini"] {
            // The first one installs the packages.
            let first = order(&server, plan).await?;
            destroy(&server, &first).await?;
        }
        say(&format!("first add-ons, packages installed   {:.0} s", begun.elapsed().as_secs_f64()));
        postgres(&server).await?;
        own_server(&server, "heroku-postgresql:standard-0", "6", INITDB).await?;
        own_server(&server, "heroku-redis:mini", "1", VALKEY).await?;
        server.purge()
    })
}

/// Starts a server by hand in a directory of its own and waits until it answers.
const INITDB: &str = r"
export PATH=/usr/lib/postgresql/17/bin:$PATH
initdb -D /tmp/by-hand -U postgres --auth=trust --data-checksums > /dev/null
postgres -D /tmp/by-hand -p 7654 -c unix_socket_directories=/tmp > /dev/null 2>&1 &
until psql -h 127.0.0.1 -p 7654 -U postgres -c 'CREATE DATABASE mine' > /dev/null 2>&1; do sleep 0.01; done
kill %1
";
const VALKEY: &str = r#"
valkey-server --port 7654 --dir /tmp --requirepass secret > /dev/null &
until [ "$(valkey-cli -p 7654 --no-auth-warning -a secret PING 2> /dev/null)" = PONG ]; do sleep 0.01; done
kill %1
"#;

/// A database in the server that small plans share.
async fn postgres(server: &Server) -> Result<()> {
    let kept = order(server, "heroku-postgresql:mini").await?;
    let (host, password) = shared_server(server)?;
    let admin = format!("postgres://postgres:{password}@{host}:5432/postgres");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        let start = Instant::now();
        let addon = order(server, "heroku-postgresql:mini").await?;
        let url = url_of(server, &addon).await?;
        psql(&url, "SELECT 1")?;
        ours.push(start.elapsed().as_secs_f64());
        destroy(server, &addon).await?;
        let start = Instant::now();
        psql(&admin, &format!("CREATE ROLE hand{number} LOGIN PASSWORD 'secret'"))?;
        psql(&admin, &format!("CREATE DATABASE hand{number} OWNER hand{number}"))?;
        psql(&format!("postgres://hand{number}:secret@{host}:5432/hand{number}"), "SELECT 1")?;
        theirs.push(start.elapsed().as_secs_f64());
    }
    report("heroku-postgresql:mini", "createdb", &ours, &theirs, "1");
    destroy(server, &kept).await
}

/// A server of the add-on's own.
async fn own_server(server: &Server, plan: &str, aim: &str, by_hand: &str) -> Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let addon = order(server, plan).await?;
        ours.push(start.elapsed().as_secs_f64());
        if ours.len() == ROUNDS {
            let memory = memory(&instances(server)?.pop().context("no instance")?.0)?;
            say(&format!("{plan:<30} idle memory {memory:.0} MB"));
        }
        theirs.push(hand(server, by_hand)?);
        destroy(server, &addon).await?;
    }
    report(plan, "a server by hand", &ours, &theirs, aim);
    Ok(())
}

fn report(plan: &str, peer: &str, ours: &[f64], theirs: &[f64], aim: &str) {
    say(&format!(
        "{plan:<30} {:.2} s, {peer} {:.2} s: {:.2}   (aim ≤ {aim} s)",
        median(ours),
        median(theirs),
        ratio(ours, theirs)
    ));
}

/// Orders one and waits until it is there; its name.
async fn order(server: &Server, plan: &str) -> Result<String> {
    let path = "/apps/bench-addons/addons";
    let (status, made) = server.api("POST", path, Some(json!({ "plan": plan }))).await?;
    ensure!(status == 201, "{status} {made}");
    let name = made["name"].as_str().context("no name")?.to_owned();
    let deadline = Instant::now() + Duration::from_mins(10);
    let mut state = made["state"].clone();
    while state != "provisioned" {
        ensure!(Instant::now() < deadline && state == "provisioning", "{name} is {state}");
        tokio::time::sleep(LOOK).await;
        let (_, info) = server.api("GET", &format!("{path}/{name}"), None).await?;
        state = info["state"].clone();
    }
    Ok(name)
}

async fn destroy(server: &Server, name: &str) -> Result<()> {
    let path = format!("/apps/bench-addons/addons/{name}");
    let (status, gone) = server.api("DELETE", &path, Some(json!({ "force": true }))).await?;
    ensure!(status == 200, "{status} {gone}");
    Ok(())
}

async fn url_of(server: &Server, name: &str) -> Result<String> {
    let (_, addon) = server.api("GET", &format!("/addons/{name}"), None).await?;
    let (_, vars) = server.api("GET", "/apps/bench-addons/config-vars", None).await?;
    let var = addon["config_vars"][0].as_str().context("no config var")?;
    Ok(vars[var].as_str().context("no value")?.to_owned())
}

fn psql(url: &str, command: &str) -> Result<()> {
    let mut psql = Command::new("psql");
    Output::of(psql.args(["-X", "-q", url, "--command", command]).env("PGSSLMODE", "require"))?.ok()?;
    Ok(())
}

/// The containers of services, the newest last, with what they were started with.
fn instances(server: &Server) -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(server.data().join("containers"))? {
        let entry = entry?;
        let Ok(text) = std::fs::read_to_string(entry.path().join("spec.json")) else { continue };
        let bundle: Value = serde_json::from_str(&text)?;
        if bundle["spec"]["labels"]["kind"] == "service" {
            let started = entry.path().join("spec.json").metadata()?.modified()?;
            found.push((started, entry.file_name().to_string_lossy().into_owned(), bundle));
        }
    }
    found.sort_by_key(|(started, ..)| *started);
    Ok(found.into_iter().map(|(_, name, bundle)| (name, bundle)).collect())
}

/// Address and administrator's password of the server that small databases share.
fn shared_server(server: &Server) -> Result<(String, String)> {
    let all = instances(server)?;
    let (_, bundle) = all
        .iter()
        .find(|(_, bundle)| bundle["spec"]["watch_port"] == 5432)
        .context("no database server runs")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&bundle["spec"]["address"]), text(&bundle["spec"]["env"]["KIGO_ADMIN_PASSWORD"])))
}

/// Runs a script as an ordinary user in the files that the newest service's container sees.
fn hand(server: &Server, script: &str) -> Result<f64> {
    let (_, bundle) = instances(server)?.pop().context("no instance")?;
    let layers = bundle["layers"].as_array().context("no layers")?;
    let mut layers: Vec<&str> = layers.iter().filter_map(Value::as_str).collect();
    layers.reverse();
    let place = Mounted::new(&server.folder("by-hand"), &layers.join(":"))?;
    let start = Instant::now();
    let mut chroot = Command::new("chroot");
    chroot.args(["--userspec=1000:1000"]).arg(&place.0).args(["bash", "-c", script]);
    Output::of(&mut chroot)?.ok()?;
    Ok(start.elapsed().as_secs_f64())
}

/// An overlay that goes with this value.
struct Mounted(PathBuf);

impl Mounted {
    fn new(folder: &Path, layers: &str) -> Result<Self> {
        let paths = ["root", "upper", "work"].map(|name| folder.join(name));
        for path in &paths {
            std::fs::create_dir_all(path)?;
        }
        let [root, upper, work] = paths;
        let options = format!("lowerdir={layers},upperdir={},workdir={}", upper.display(), work.display());
        let mut mount = Command::new("mount");
        Output::of(mount.args(["-t", "overlay", "overlay", "-o", &options]).arg(&root))?.ok()?;
        let mounted = Self(root);
        let devices = mounted.0.join("dev");
        std::fs::create_dir_all(devices.join("shm"))?;
        Output::of(Command::new("mknod").arg(devices.join("null")).args(["c", "1", "3"]))?.ok()?;
        Output::of(Command::new("chmod").args(["-R", "a+rwX"]).arg(devices))?.ok()?;
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        if let Some(folder) = self.0.parent() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Memory of a container without what the kernel keeps of files, in MB.
fn memory(id: &str) -> Result<f64> {
    let found = Command::new("find").args(["/sys/fs/cgroup", "-type", "d", "-name", id]).output()?;
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    let stat =
        text.lines().find_map(|group| std::fs::read_to_string(Path::new(group).join("memory.stat")).ok());
    let stat = stat.context("no memory.stat")?;
    let figure = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        // Version 1 of control groups calls it rss.
        matches!(name, "rss" | "anon" | "shmem").then(|| value.parse::<f64>().ok())?
    };
    Ok(stat.lines().filter_map(figure).sum::<f64>() / 1e6)
}
