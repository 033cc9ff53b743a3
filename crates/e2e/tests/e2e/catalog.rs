//! Every service of the catalog: ordered, used with a client of its own, killed, given up; and many at once.

use crate::catalog_backups::{VAULT, made_and_restored};
use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server, server, until};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;

/// A service, what runs in its container, and whether it keeps what it is given.
struct Case {
    plan: &'static str,
    var: &'static str,
    program: &'static str,
    keeps: bool,
}

const CASES: &[Case] = &[
    Case { plan: "heroku-postgresql:standard-0", var: "DATABASE_URL", program: "postgres", keeps: true },
    Case { plan: "heroku-redis:mini", var: "REDIS_URL", program: "valkey-server", keeps: true },
    Case { plan: "mariadb:mini", var: "MARIADB_URL", program: "mariadbd", keeps: true },
    Case { plan: "memcached:small", var: "MEMCACHED_URL", program: "memcached", keeps: false },
    Case { plan: "rabbitmq:mini", var: "RABBITMQ_URL", program: "beam.smp", keeps: true },
];

/// Writes a word to a service or reads it, with the client that its users take.
const PROBE: &str = r#"
import os, sys
from urllib.parse import urlsplit

def sql(database, write):
    with database.cursor() as cursor:
        if write:
            cursor.execute("CREATE TABLE IF NOT EXISTS kept (word varchar(20))")
            cursor.execute("INSERT INTO kept VALUES ('kept')")
            database.commit()
        cursor.execute("SELECT word FROM kept LIMIT 1")
        return cursor.fetchone()[0]

def postgres(url, write):
    import psycopg
    with psycopg.connect(url) as database:
        return sql(database, write)

def mysql(url, write):
    import pymysql
    at = urlsplit(url)
    return sql(pymysql.connect(host=at.hostname, port=at.port, user=at.username, password=at.password,
                               database=at.path[1:]), write)

def rediss(url, write):
    import redis
    store = redis.from_url(url, ssl_cert_reqs=None)
    if write:
        store.set("word", "kept")
    return (store.get("word") or b"empty").decode()

def memcached(url, write):
    from pymemcache.client.base import Client
    at = urlsplit(url)
    store = Client((at.hostname, at.port))
    if write:
        store.set("word", "kept")
    return (store.get("word") or b"empty").decode()

def amqp(url, write):
    import pika
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.confirm_delivery()
    channel.queue_declare("words", durable=True)
    if write:
        channel.basic_publish("", "words", b"kept", pika.BasicProperties(delivery_mode=2), mandatory=True)
    _, _, body = channel.basic_get("words")
    return (body or b"empty").decode()

url = os.environ[sys.argv[1]]
print("it says", globals()[url.split(":")[0]](url, sys.argv[2] == "write"))
"#;

fn probe(app: &App<'_>, case: &Case, what: &str) -> Result<Output> {
    app.heroku(&["run", "--no-tty", "--exit-code", &format!("python probe.py {} {what}", case.var)])
}

/// The whole life of each.
pub(crate) fn every_service(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "sampler")?;
        app.write("probe.py", PROBE)?;
        app.write("vault.py", VAULT)?;
        app.write(
            "requirements.txt",
            "psycopg[binary]==3.2.9\nredis==6.4.0\npymysql==1.1.1\npymemcache==4.0.0\npika==1.3.2\n",
        )?;
        app.write(".python-version", "3.13\n")?;
        app.write("Procfile", "worker: sleep 1000\n")?;
        app.commit("probes")?;
        app.push()?.ok()?;
        for case in CASES {
            let name = name(case);
            app.heroku(&["addons:create", case.plan, "--name", &name])?.ok().context(case.plan)?;
        }
        app.heroku(&["addons:wait"])?.ok()?;
        for case in CASES {
            let url = app.heroku(&["config:get", case.var])?.ok()?.stdout;
            ensure!(url.contains("://"), "{}: {url:?}", case.plan);
            probe(&app, case, "write")?.ok().context(case.plan)?.says("it says kept")?;
            app.logs_say(&format!("addon={} sample#", name(case))).await.context(case.plan)?;
        }
        for (var, magic) in [("MARIADB_URL", &b"\x1f\x8b"[..]), ("REDIS_URL", b"REDIS")] {
            let case = CASES.iter().find(|case| case.var == var).context(var)?;
            made_and_restored(&app, &name(case), var, magic).await.context(case.plan)?;
        }
        let refused = server.kigo(&["addons:backups:capture", "RABBITMQ", "--app", "sampler"])?;
        ensure!(refused.code != 0 && refused.all().contains("has no backups"), "{}", refused.all());
        for case in CASES {
            killed(&app, case).await.context(case.plan)?;
        }
        for case in CASES {
            app.heroku(&["addons:destroy", &name(case), "--confirm", "sampler"])?.ok().context(case.plan)?;
            let config = app.heroku(&["config"])?.ok()?.stdout;
            ensure!(!config.contains(case.var), "{config}");
        }
        app.heroku(&["apps:destroy", "--confirm", "sampler"])?.ok()?;
        Ok(())
    })
}

fn name(case: &Case) -> String {
    format!("sampler-{}", case.plan.replace(':', "-"))
}

/// The service's container is killed; it comes back at its address with what it kept.
async fn killed(app: &App<'_>, case: &Case) -> Result<()> {
    let url = app.heroku(&["config:get", case.var])?.ok()?.stdout.trim().to_owned();
    let host = host(&url)?;
    let before = processes(case.program, host);
    ensure!(!before.is_empty(), "no {} at {host}", case.program);
    for pid in &before {
        // Some end with the first.
        Output::of(Command::new("kill").args(["-KILL", pid]))?;
    }
    until("the service to be there again", async || {
        let now = processes(case.program, host);
        let new = now.iter().any(|pid| !before.contains(pid));
        if new { Ok(()) } else { Err(format!("{now:?}, before {before:?}")) }
    })
    .await?;
    let word = if case.keeps { "it says kept" } else { "it says empty" };
    until(word, async || {
        let said = probe(app, case, "read").map_err(|error| format!("{error:#}"))?;
        if said.stdout.contains(word) { Ok(()) } else { Err(said.all()) }
    })
    .await?;
    let after = app.heroku(&["config:get", case.var])?.ok()?.stdout;
    ensure!(after.trim() == url, "{after} {url}");
    Ok(())
}

pub(crate) fn host(url: &str) -> Result<&str> {
    let place = url.split("://").nth(1).context("no scheme")?;
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    place.split(':').next().context("no host")
}

/// The processes of this program in the network namespace that has this address.
fn processes(program: &str, address: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let local = |trie: String| {
        let mut lines = trie.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line.ends_with(&format!(" {address}"))
                && lines.next().is_some_and(|next| next == "/32 host LOCAL")
            {
                return true;
            }
        }
        false
    };
    let ours = |entry: &std::fs::DirEntry| {
        let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        read("comm").trim() == program && local(read("net/fib_trie"))
    };
    entries.flatten().filter(ours).filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The file of the volume that this program at this address has at `/data`.
pub(crate) fn volume(program: &str, address: &str) -> Result<PathBuf> {
    let pids = processes(program, address);
    let pid = pids.first().with_context(|| format!("no {program} at {address}"))?;
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo"))?;
    let mount = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/data"));
    let device = mount.and_then(|line| line.split(' ').nth(2)).with_context(|| mounts.clone())?;
    let backing = std::fs::read_to_string(format!("/sys/dev/block/{device}/loop/backing_file"))?;
    Ok(PathBuf::from(backing.trim()))
}

/// A directory with the definition that `docs/addons/writing.md` shows, for servers of the tests.
pub(crate) fn example() -> Result<PathBuf> {
    let document = std::fs::read_to_string(server::workspace().join("docs/addons/writing.md"))?;
    let (_, rest) = document.split_once("```toml\n").context("no example")?;
    let (text, _) = rest.split_once("```").context("an example without an end")?;
    let folder = server::workspace().join("target/e2e-catalog");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("memo.toml"), text)?;
    Ok(folder)
}

/// What the document shows works as it stands.
pub(crate) fn the_example_of_the_document(server: &Server) -> Result<()> {
    run(async {
        let file = example()?.join("memo.toml");
        server.kigo(&["addons:lint", &file.display().to_string()])?.ok()?.says("all right")?;
        let app = App::create(server, "author")?;
        app.heroku(&["addons:create", "memo", "--name", "author-memo"])?.ok()?;
        app.heroku(&["addons:wait"])?.ok()?;
        let url = app.heroku(&["config:get", "MEMO_URL"])?.ok()?.stdout;
        let (host, port) = url
            .trim()
            .strip_prefix("memcached://")
            .and_then(|place| place.split_once(':'))
            .context(url.clone())?;
        let ask = format!("exec 3<>/dev/tcp/{host}/{port} && printf 'version\\r\\n' >&3 && head -n 1 <&3");
        Output::of(Command::new("bash").args(["-c", &ask]))?.ok()?.says("VERSION")?;
        app.heroku(&["apps:destroy", "--confirm", "author"])?.ok()?;
        Ok(())
    })
}

/// Twenty add-ons are ordered and given up at once; nothing of them stays.
pub(crate) fn many_at_once(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "crowd")?;
        let names: Vec<_> = (0..20).map(|number| format!("crowd-{number}")).collect();
        let path = |name: &String| format!("/apps/crowd/addons/{name}");
        let orders = names.iter().map(|name| {
            let body = json!({"plan": "memcached:small", "name": name, "attachment": {"name": name.replace('-', "_")}});
            server.api("POST", "/apps/crowd/addons", Some(body))
        });
        for order in futures_util::future::join_all(orders).await {
            let (status, body) = order?;
            ensure!(status == 201, "{status} {body}");
        }
        let (mut places, mut instances) = (std::collections::BTreeSet::new(), 0);
        for name in &names {
            until("it to be there", async || {
                let asked =
                    server.api("GET", &path(name), None).await.map_err(|error| format!("{error:#}"))?;
                if asked.1["state"] == "provisioned" { Ok(()) } else { Err(asked.1.to_string()) }
            })
            .await?;
        }
        let (_, vars) = server.api("GET", "/apps/crowd/config-vars", None).await?;
        for name in &names {
            let var = format!("{}_SERVERS", name.replace('-', "_").to_uppercase());
            let place = vars[&var].as_str().with_context(|| format!("no {var} in {vars}"))?.to_owned();
            let host = place.split(':').next().unwrap_or_default().to_owned();
            instances += processes("memcached", &host).len();
            places.insert(host);
        }
        ensure!((places.len(), instances) == (20, 20), "{places:?} {instances}");
        let paths: Vec<_> = names.iter().map(path).collect();
        let ends = paths.iter().map(|path| server.api("DELETE", path, Some(json!({}))));
        for end in futures_util::future::join_all(ends).await {
            let (status, body) = end?;
            ensure!(status == 200, "{status} {body}");
        }
        until("all to be gone", async || {
            let left: Vec<_> = places.iter().flat_map(|host| processes("memcached", host)).collect();
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await?;
        let list = app.heroku(&["addons"])?.ok()?.all();
        ensure!(list.contains("No add-ons for app crowd"), "{list}");
        app.heroku(&["apps:destroy", "--confirm", "crowd"])?.ok()?;
        Ok(())
    })
}
