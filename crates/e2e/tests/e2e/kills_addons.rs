//! The server dies while services' hooks are at work: each add-on is there and can be used afterwards, or is
//! gone, and nothing is left that no add-on needs.

use crate::kills::story;
use crate::{redis, run};
use anyhow::{Context, Result, bail, ensure};
use e2e::{App, Output, Server, until};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// Two of them share their servers with others, one has its own.
const PLANS: [(&str, &str); 3] = [
    ("killed-postgres", "heroku-postgresql:mini"),
    ("killed-redis", "heroku-redis:mini"),
    ("killed-mariadb", "mariadb:mini"),
];

/// What a container is, by its labels.
type Labels = BTreeMap<String, String>;

pub(crate) fn while_hooks_are_at_work() -> Result<()> {
    run(story("kill-hooks", async |server| {
        let app = App::create(server, "killed")?;
        provisioned(&app).await?;
        usable(&app).await?;
        only_what_is_needed(server, PLANS.len()).await?;
        backed_up(&app).await?;
        ordered_and_given_up(&app).await?;
        deprovisioned(&app).await
    }))
}

/// The containers that there are, by id.
fn containers(server: &Server) -> BTreeMap<String, Labels> {
    let entries = fs::read_dir(server.data().join("containers")).into_iter().flatten().flatten();
    let labels = entries.filter_map(|entry| {
        let spec: Value = serde_json::from_slice(&fs::read(entry.path().join("spec.json")).ok()?).ok()?;
        let labels = serde_json::from_value(spec["spec"]["labels"].clone()).ok()?;
        Some((entry.file_name().into_string().ok()?, labels))
    });
    labels.collect()
}

/// Those of services. What asks one how it is comes and goes.
fn services(server: &Server) -> BTreeSet<String> {
    containers(server).into_iter().filter(|(_, labels)| is_service(labels)).map(|(id, _)| id).collect()
}

fn is_service(labels: &Labels) -> bool {
    labels.get("kind").is_some_and(|kind| kind == "service")
}

fn is_hook(labels: &Labels) -> bool {
    labels.get("kind").is_some_and(|kind| kind == "service-task")
}

/// Looks so often that no hook is missed.
async fn sees<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    for _ in 0..100_000 {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    bail!("waited in vain for {what}")
}

async fn state(server: &Server, name: &str) -> Result<Option<String>> {
    let (status, addon) = server.api("GET", &format!("/addons/{name}"), None).await?;
    match status {
        200 => Ok(addon["state"].as_str().map(str::to_owned)),
        404 => Ok(None),
        _ => bail!("{status} {addon}"),
    }
}

/// Asks for an add-on and does not wait for the answer, which comes when the add-on is there.
async fn order(server: &Server, name: &str, plan: &str) -> Result<()> {
    let body = json!({ "plan": plan, "name": name });
    let ask = server.api("POST", "/apps/killed/addons", Some(body));
    let known = sees("the order to be taken", async || Ok(state(server, name).await?.map(drop)));
    tokio::select! {
        answer = ask => {
            let (status, body) = answer?;
            ensure!(status == 201, "{status} {body}");
            Ok(())
        }
        known = known => known,
    }
}

/// Killed once packages are being installed, once a service is started, and once each add-on's hook runs.
async fn provisioned(app: &App<'_>) -> Result<()> {
    let server = app.server;
    for (name, plan) in PLANS {
        order(server, name, plan).await?;
    }
    let data = server.data();
    sees("packages to be installed", async || Ok(fs::read_dir(data.join("builds"))?.next().map(drop)))
        .await?;
    server.kill_and_restart().await?;
    sees("a service to be started", async || Ok(services(server).pop_first().map(drop))).await?;
    server.kill_and_restart().await?;
    let mut killed = BTreeSet::new();
    loop {
        let next = sees("a hook, or all add-ons to be there", async || {
            let hooks = containers(server).into_values().filter(is_hook);
            let hook =
                hooks.filter_map(|labels| labels.get("addon").cloned()).find(|id| !killed.contains(id));
            if hook.is_some() {
                return Ok(Some(hook));
            }
            for (name, _) in PLANS {
                match state(server, name).await?.as_deref() {
                    Some("provisioned") => {}
                    Some("provisioning") => return Ok(None),
                    other => bail!("{name} is {other:?}"),
                }
            }
            Ok(Some(None))
        });
        match next.await? {
            Some(addon) => {
                killed.insert(addon);
                server.kill_and_restart().await?;
            }
            None => break,
        }
    }
    ensure!(!killed.is_empty(), "no hook was seen at work");
    Ok(())
}

/// Each lets its user in, with the password that its config var has.
async fn usable(app: &App<'_>) -> Result<()> {
    until("PostgreSQL to answer", async || {
        let output =
            app.heroku(&["pg:psql", "--command", "SELECT 40 + 2"]).map_err(|error| error.to_string())?;
        if output.stdout.contains("42") { Ok(()) } else { Err(output.all()) }
    })
    .await?;
    until("Redis to answer", async || {
        let said = redis::typed(app, "killed-redis", "ECHO here\n").map_err(|error| format!("{error:#}"))?;
        if said.contains("here") { Ok(()) } else { Err(said) }
    })
    .await?;
    let url = app.heroku(&["config:get", "MARIADB_URL"])?.ok()?.stdout;
    until("MariaDB to answer", async || {
        let probe = Output::of(Command::new("python3").args(["-c", MYSQL, url.trim()]));
        let output = probe.map_err(|error| format!("{error:#}"))?;
        if output.stdout.contains("it says 42") { Ok(()) } else { Err(output.all()) }
    })
    .await
}

/// As much of MySQL's protocol as it takes to log in to a database and ask a question.
const MYSQL: &str = r#"
import hashlib, socket, struct, sys
from urllib.parse import urlsplit

at = urlsplit(sys.argv[1])
line = socket.create_connection((at.hostname, at.port), 10).makefile("rwb")

def read():
    head = line.read(4)
    return line.read(head[0] | head[1] << 8 | head[2] << 16)

def send(number, body):
    line.write(struct.pack("<I", len(body) | number << 24) + body)
    line.flush()

hello = read()
rest = hello[hello.index(b"\0", 1) + 5:]
salt = rest[:8] + rest[27:39]
sha = lambda data: hashlib.sha1(data).digest()
once = sha(at.password.encode())
answer = bytes(a ^ b for a, b in zip(once, sha(salt + sha(once))))
name = b"mysql_native_password"
send(1, struct.pack("<IIB23x", 0x8 | 0x200 | 0x8000 | 0x80000, 1 << 24, 45) + at.username.encode() + b"\0"
     + bytes([len(answer)]) + answer + at.path[1:].encode() + b"\0" + name + b"\0")
said = read()
assert said[0] == 0, said
send(0, b"\x03SELECT 40 + 2")
packets = [read() for _ in range(4)]
print("it says", packets[3][1:].decode())
"#;

/// Waits until there are so many containers, each of a service, with a volume each, and as many ways lead to
/// them.
async fn only_what_is_needed(server: &Server, number: usize) -> Result<()> {
    until("nothing but what is needed", async || {
        let found = containers(server);
        if let Some(stray) = found.values().find(|labels| !is_service(labels)) {
            return Err(format!("{stray:?}"));
        }
        let volumes = fs::read_dir(server.data().join("volumes")).map_err(|error| error.to_string())?;
        let volumes: BTreeSet<_> =
            volumes.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        let ids: BTreeSet<_> = found.keys().cloned().collect();
        if volumes != ids || ids.len() != number {
            return Err(format!("volumes {volumes:?}, containers {found:?}"));
        }
        let routes = Output::of(Command::new("ip").arg("route")).map_err(|error| error.to_string())?.stdout;
        let routes: Vec<_> = routes.lines().filter(|line| line.starts_with(&server.network())).collect();
        if routes.len() == ids.len() { Ok(()) } else { Err(format!("routes {routes:?}, containers {ids:?}")) }
    })
    .await
}

/// Killed while a dump is written: it is made all the same, and the service that it is tried in is given up.
async fn backed_up(app: &App<'_>) -> Result<()> {
    let server = app.server;
    let psql = |sql: &str| app.heroku(&["pg:psql", "--command", sql])?.ok();
    psql("CREATE TABLE items AS SELECT md5(n::text) AS body FROM generate_series(1, 200000) AS n")?;
    let path = "/client/v11/databases/killed-postgres/backups";
    let (status, transfer) = server.api("POST", path, Some(json!({}))).await?;
    ensure!(status < 300, "{status} {transfer}");
    let id = transfer["uuid"].as_str().context("no id")?.to_owned();
    sees("the dump to be written", async || {
        Ok(containers(server).into_values().find(|labels| labels.get("transfer") == Some(&id)).map(drop))
    })
    .await?;
    server.kill_and_restart().await?;
    let mut trial_was_killed = false;
    let proven = sees("the backup to be made and tried", async || {
        let (_, now) = server.api("GET", &format!("/client/v11/apps/killed/transfers/{id}"), None).await?;
        ensure!(now["succeeded"] != false, "{now}");
        // One more than the add-ons have is the trial's.
        let running = services(server).len();
        if !trial_was_killed && running > PLANS.len() {
            trial_was_killed = true;
            server.kill_and_restart().await?;
        }
        ensure!(now["proof"]["state"] != "refuted", "{now}");
        Ok((now["proof"]["state"] == "proven").then_some(now))
    })
    .await?;
    ensure!(proven["succeeded"] == true, "{proven}");
    // Without the service of the trial.
    only_what_is_needed(server, PLANS.len()).await
}

/// Destroyed while its service is on its way.
async fn ordered_and_given_up(app: &App<'_>) -> Result<()> {
    let server = app.server;
    order(server, "killed-early", "heroku-redis:mini").await?;
    let ask = server.api("DELETE", "/apps/killed/addons/killed-early", Some(json!({})));
    let (status, answer) = ask.await?;
    ensure!(status == 200, "{status} {answer}");
    server.kill_and_restart().await?;
    until("what was given up to be gone", async || match state(server, "killed-early").await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    only_what_is_needed(server, PLANS.len()).await
}

/// Killed while add-ons are taken out of the servers that they share.
async fn deprovisioned(app: &App<'_>) -> Result<()> {
    let server = app.server;
    for (name, _) in PLANS {
        let path = format!("/apps/killed/addons/{name}");
        let (status, answer) = server.api("DELETE", &path, Some(json!({}))).await?;
        ensure!(status == 200, "{status} {answer}");
    }
    sees("a hook that takes something away", async || {
        Ok(containers(server).into_values().find(is_hook).map(drop))
    })
    .await?;
    server.kill_and_restart().await?;
    for (name, _) in PLANS {
        until("it to be gone", async || match state(server, name).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await?;
    }
    until("the hooks to have ended", async || {
        let left: Vec<_> = containers(server).into_values().filter(is_hook).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await?;
    // The servers that are shared stay.
    only_what_is_needed(server, 2).await?;
    // What shared servers held is gone from there: a new database is the only one.
    app.heroku(&["addons:create", "heroku-postgresql:mini", "--name", "killed-last"])?.ok()?;
    app.heroku(&["addons:wait"])?.ok()?;
    let count = "SELECT 'databases: ' || count(*) FROM pg_database WHERE datname ~ '^d[a-z0-9]{13}'";
    until("one database to be left", async || {
        let output = app.heroku(&["pg:psql", "--command", count]).map_err(|error| error.to_string())?;
        if output.stdout.contains("databases: 1") { Ok(()) } else { Err(output.all()) }
    })
    .await
}
