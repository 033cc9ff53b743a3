//! Backups with the official CLI: made while apps write, restored elsewhere, tried, scheduled, damaged.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server, until};
use jiff::Timestamp;
use serde_json::Value;
use std::fs;
use std::process::{Child, Command, Stdio};

/// What does not change while a backup is made.
const ITEMS: &str = "CREATE TABLE items (id bigserial PRIMARY KEY, body text NOT NULL);
    INSERT INTO items (body) SELECT repeat(md5(n::text), 8) FROM generate_series(1, 100000) AS n;
    CREATE INDEX ON items (body);";
/// What changes: two tables that have the same number of rows at every moment.
const PAIRS: &str =
    "CREATE TABLE lefts (id bigserial PRIMARY KEY); CREATE TABLE rights (id bigserial PRIMARY KEY)";
const SUM: &str = "SELECT count(*) || ' ' || md5(string_agg(body, '' ORDER BY id)) FROM items";

/// The whole story.
pub(crate) fn made_restored_and_proven(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "keeper")?;
        database(&app, &["--name", "keeper-main"])?;
        database(&app, &["--name", "keeper-vault", "--as", "VAULT"])?;
        for sql in [ITEMS, PAIRS] {
            ask(&app, "DATABASE", sql)?;
        }
        ask(&app, "VAULT", "CREATE TABLE older (n int)")?;
        let writing = Writing::start(&app)?;
        let said = app.heroku(&["pg:backups:capture", "DATABASE"])?.ok()?.all();
        drop(writing);
        ensure!(said.contains("b001"), "{said}");
        shown(&app, "b001", ", proven ").await?;
        app.heroku(&["pg:backups:info", "b001"])?.ok()?.says("Completed")?.says("public.items 100000")?;

        restored(&app)?;
        downloaded(&app).await?;
        copied(&app)?;
        scheduled(&app).await?;
        damaged(&app).await?;
        outlived(&app).await?;
        app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
        Ok(())
    })
}

/// In the place of what was there, and consistent.
fn restored(app: &App<'_>) -> Result<()> {
    app.heroku(&["pg:backups:restore", "b001", "VAULT", "--confirm", &app.name])?.ok()?;
    ensure!(ask(app, "DATABASE", SUM)? == ask(app, "VAULT", SUM)?, "not the same");
    let counts = ask(app, "VAULT", "SELECT (SELECT count(*) FROM lefts) = (SELECT count(*) FROM rights)")?;
    ensure!(counts == "t", "torn in the middle of a transaction");
    let older = ask(app, "VAULT", "SELECT count(*) FROM pg_class WHERE relname = 'older'")?;
    ensure!(older == "0", "what was there is still there");
    // What is no dump changes nothing.
    let refused =
        app.heroku(&["pg:backups:restore", "https://kigo.invalid/dump", "VAULT", "--confirm", &app.name])?;
    ensure!(refused.code != 0 && flat(&refused).contains("could not be downloaded"), "{}", refused.all());
    let inner =
        app.heroku(&["pg:backups:restore", "http://127.0.0.1:1/dump", "VAULT", "--confirm", &app.name])?;
    ensure!(inner.code != 0 && flat(&inner).contains("own network"), "{}", inner.all());
    ensure!(ask(app, "DATABASE", SUM)? == ask(app, "VAULT", SUM)?, "what failed has changed something");
    Ok(())
}

/// Byte for byte, and by an address that serves to restore as well.
async fn downloaded(app: &App<'_>) -> Result<()> {
    let file = app.checkout.join("got.dump");
    let name = file.display().to_string();
    app.heroku(&["pg:backups:download", "b001", "--output", &name])?.ok()?;
    let (got, kept) = (fs::read(&file)?, fs::read(dump(app, 1).await?)?);
    ensure!(got.starts_with(b"PGDMP") && got == kept, "{} bytes of {}", got.len(), kept.len());
    let url = app.heroku(&["pg:backups:url", "b001"])?.ok()?.stdout;
    ensure!(url.starts_with("https://localhost:"), "{url}");
    ask(app, "VAULT", "DROP TABLE items")?;
    app.heroku(&["pg:backups:restore", url.trim(), "VAULT", "--confirm", &app.name])?.ok()?;
    ensure!(ask(app, "DATABASE", SUM)? == ask(app, "VAULT", SUM)?, "not the same");
    Ok(())
}

fn copied(app: &App<'_>) -> Result<()> {
    ask(app, "DATABASE", "INSERT INTO items (body) VALUES ('one more')")?;
    app.heroku(&["pg:copy", "DATABASE", "VAULT", "--confirm", "VAULT"])?.ok()?;
    ensure!(ask(app, "DATABASE", SUM)? == ask(app, "VAULT", SUM)?, "not the same");
    app.heroku(&["pg:backups"])?.ok()?.says("=== Copies")?.says("keeper-vault")?;
    Ok(())
}

/// One for the present hour is made at once.
async fn scheduled(app: &App<'_>) -> Result<()> {
    let hour = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    app.heroku(&["pg:backups:schedule", "DATABASE", "--at", &format!("{hour:02}:00 UTC")])?.ok()?;
    app.heroku(&["pg:backups:schedules"])?.ok()?.says(&format!("DATABASE_URL: daily at {hour}:00 UTC"))?;
    let name = until("a scheduled backup that is proven", async || {
        let list = app.heroku(&["pg:backups"]).map_err(|error| error.to_string())?.stdout;
        let line = list.lines().find(|line| line.trim_start().starts_with('a') && line.contains(", proven "));
        line.and_then(|line| line.split_whitespace().next()).map(str::to_owned).ok_or(list)
    })
    .await?;
    app.heroku(&["pg:backups:info", &name])?.ok()?.says("Scheduled")?;
    app.heroku(&["pg:backups:unschedule", "DATABASE"])?.ok()?;
    app.heroku(&["pg:backups:schedules"])?.ok()?.says("No backup schedules")?;
    app.heroku(&["pg:backups:delete", &name, "--confirm", &app.name])?.ok()?;
    ensure!(!app.heroku(&["pg:backups"])?.ok()?.stdout.contains(&name), "{name} is still there");
    Ok(())
}

/// A bit that has flipped on the disk is found, told, and not restored.
async fn damaged(app: &App<'_>) -> Result<()> {
    let path = dump(app, 1).await?;
    let mut bytes = fs::read(&path)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("an empty dump")? ^= 1;
    fs::write(&path, &bytes)?;
    let prove = format!("/client/v11/apps/{}/transfers/1/actions/prove", app.name);
    let (status, body) = app.server.api("POST", &prove, None).await?;
    ensure!(status == 202, "{status} {body}");
    shown(app, "b001", "CANNOT BE RESTORED").await?;
    app.logs_say("heroku[backups]: Backup b001 of keeper-main CANNOT BE RESTORED").await?;
    let refused = app.heroku(&["pg:backups:restore", "b001", "VAULT", "--confirm", &app.name])?;
    ensure!(refused.code != 0 && flat(&refused).contains("damaged"), "{}", refused.all());
    ensure!(ask(app, "DATABASE", SUM)? == ask(app, "VAULT", SUM)?, "what failed has changed something");
    Ok(())
}

/// The backup that is being made when the add-on is destroyed is made, and there when the add-on is not any
/// more.
async fn outlived(app: &App<'_>) -> Result<()> {
    let id = addon(app, "DATABASE").await?;
    let (status, begun) =
        app.server.api("POST", &format!("/client/v11/databases/{id}/backups"), None).await?;
    ensure!(status == 201, "{status} {begun}");
    let path = format!("/apps/{}/addons/{id}", app.name);
    let (status, gone) = app.server.api("DELETE", &path, None).await?;
    ensure!(status == 200, "{status} {gone}");
    let path = format!("/client/v11/apps/{}/transfers/{}", app.name, begun["num"]);
    let ended = until("the last backup to end", async || {
        let (_, seen) = app.server.api("GET", &path, None).await.map_err(|error| format!("{error:#}"))?;
        if seen["finished_at"].is_string() { Ok(seen) } else { Err(seen.to_string()) }
    })
    .await?;
    ensure!(ended["succeeded"] == true, "{ended}");
    let name = format!("b{:03}", begun["num"].as_u64().context("no number")?);
    app.heroku(&["pg:backups:restore", &name, "VAULT", "--confirm", &app.name])?.ok()?;
    ensure!(ask(app, "VAULT", SUM)?.starts_with("100001 "), "not the same");
    Ok(())
}

/// Backups that lie in an S3 store. The server dies in the middle of a backup and of a restore; both are done
/// by the next one.
pub(crate) fn in_a_store_and_done_by_the_next_server() -> Result<()> {
    let store = Store::start()?;
    let settings = store.settings();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    run(crate::kills::story_with("kill-backups", &settings, async |server| {
        let app = App::create(server, "killed-backup")?;
        database(&app, &[])?;
        database(&app, &["--as", "VAULT"])?;
        ask(&app, "DATABASE", ITEMS)?;
        ask(&app, "DATABASE", "INSERT INTO items (body) SELECT body FROM items, generate_series(1, 4)")?;
        let begin = |database: &str, what: &str| format!("/client/v11/databases/{database}/{what}");
        let (from, to) = (addon(&app, "DATABASE").await?, addon(&app, "VAULT").await?);
        let backup = killed(&app, &begin(&from, "backups"), None).await?;
        let body = serde_json::json!({ "backup_url": backup["to_url"] });
        let restore = killed(&app, &begin(&to, "restores"), Some(body)).await?;
        ensure!(restore["succeeded"] == true, "{restore}");
        ensure!(ask(&app, "DATABASE", SUM)? == ask(&app, "VAULT", SUM)?, "not the same");
        shown(&app, "b001", ", proven ").await?;
        stored(&app, &store).await
    }))
}

/// It is in the store alone, comes from there, and goes.
async fn stored(app: &App<'_>, store: &Store) -> Result<()> {
    let here = dump(app, 1).await?;
    let id = here.file_name().context("a name")?.to_string_lossy().into_owned();
    ensure!(!here.exists(), "{id} is here as well");
    let kept = store.object(&id).await?.context("it is not in the store")?;
    let file = app.checkout.join("got.dump");
    app.heroku(&["pg:backups:download", "b001", "--output", &file.display().to_string()])?.ok()?;
    ensure!(fs::read(&file)? == kept && kept.starts_with(b"PGDMP"), "not the same");
    app.heroku(&["pg:backups:delete", "b001", "--confirm", &app.name])?.ok()?;
    until("the dump to be gone", async || match store.object(&id).await {
        Ok(None) => Ok(()),
        other => Err(format!("{:?}", other.map(|bytes| bytes.map(|bytes| bytes.len())))),
    })
    .await
}

/// A program that speaks S3, and keeps in memory what it is given.
struct Store {
    program: Child,
    address: String,
}

impl Store {
    const BUCKET: &str = "vault";

    fn start() -> Result<Self> {
        let path = std::env::var_os("KIGO_TEST_S3").context("KIGO_TEST_S3 names no S3 server")?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let program = Command::new(path)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the S3 server")?;
        let store = Self { program, address: format!("http://127.0.0.1:{port}") };
        run(until("the S3 server to have a bucket", async || {
            let made = reqwest::Client::new().put(format!("{}/{}", store.address, Self::BUCKET)).send().await;
            match made {
                Ok(answer) if answer.status().is_success() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        }))?;
        Ok(store)
    }

    /// Of a server that keeps backups there.
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("KIGO_BACKUPS_STORE", format!("s3://{}/dumps", Self::BUCKET)),
            ("AWS_ENDPOINT", self.address.clone()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "kigo".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "kigo-secret".to_owned()),
        ]
    }

    async fn object(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let answer = reqwest::get(format!("{}/{}/dumps/{id}", self.address, Self::BUCKET)).await?;
        match answer.status().as_u16() {
            404 => Ok(None),
            200 => Ok(Some(answer.bytes().await?.to_vec())),
            other => anyhow::bail!("the S3 server answers with {other}"),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Begins a transfer, kills the server in the middle of it, and waits for its end.
async fn killed(app: &App<'_>, path: &str, body: Option<Value>) -> Result<Value> {
    let (status, begun) = app.server.api("POST", path, body).await?;
    ensure!(status == 201, "{status} {begun}");
    let path = format!("/client/v11/apps/{}/transfers/{}?verbose=true", app.name, begun["num"]);
    let get = async || app.server.api("GET", &path, None).await.map_err(|error| error.to_string());
    until("the transfer to be under way", async || {
        let (_, seen) = get().await?;
        let moving = seen["logs"].as_array().is_some_and(|logs| !logs.is_empty());
        if moving || seen["succeeded"] == true { Ok(()) } else { Err(seen.to_string()) }
    })
    .await?;
    app.server.kill_and_restart().await?;
    let ended = until("the transfer to end", async || {
        let (_, seen) = get().await?;
        if seen["finished_at"].is_string() { Ok(seen) } else { Err(seen.to_string()) }
    })
    .await?;
    ensure!(ended["succeeded"] == true, "{ended}");
    let logs = ended["logs"].to_string();
    ensure!(
        logs.contains("The server ended in the middle of it"),
        "it was over before the server was: {logs}"
    );
    Ok(ended)
}

/// What the CLI said, without the breaks that it puts into long lines.
fn flat(output: &Output) -> String {
    output.all().split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn database(app: &App<'_>, more: &[&str]) -> Result<()> {
    let mut words = vec!["addons:create", "heroku-postgresql:mini", "--wait"];
    words.extend(more);
    app.heroku(&words)?.ok()?;
    Ok(())
}

/// The id of the add-on that an attachment leads to.
async fn addon(app: &App<'_>, attachment: &str) -> Result<String> {
    let path = format!("/apps/{}/addon-attachments/{attachment}", app.name);
    let (_, found) = app.server.api("GET", &path, None).await?;
    Ok(found["addon"]["id"].as_str().with_context(|| found.to_string())?.to_owned())
}

/// Waits until a line of `pg:backups` about this backup says so.
pub(crate) async fn shown(app: &App<'_>, name: &str, words: &str) -> Result<()> {
    let line = until("a word about a backup", async || {
        let list = app.heroku(&["pg:backups"]).map_err(|error| error.to_string())?.stdout;
        let line = list.lines().find(|line| line.trim_start().starts_with(name)).map(str::to_owned);
        let known = |line: &String| line.contains(", proven ") || line.contains(", CANNOT BE RESTORED");
        line.filter(known).ok_or(list)
    })
    .await?;
    if line.contains(words) {
        return Ok(());
    }
    let info = app.heroku(&["pg:backups:info", name])?.all();
    anyhow::bail!("{line}: {}", info.get(info.len().saturating_sub(3000)..).unwrap_or(&info))
}

/// Where a backup's dump lies.
pub(crate) async fn dump(app: &App<'_>, number: u32) -> Result<std::path::PathBuf> {
    let path = format!("/client/v11/apps/{}/transfers/{number}", app.name);
    let (_, found) = app.server.api("GET", &path, None).await?;
    let id = found["uuid"].as_str().with_context(|| found.to_string())?;
    Ok(app.server.data().join("backups").join(id))
}

fn url(app: &App<'_>, attachment: &str) -> Result<String> {
    Ok(app.heroku(&["config:get", &format!("{attachment}_URL")])?.ok()?.stdout.trim().to_owned())
}

/// What a database answers.
fn ask(app: &App<'_>, attachment: &str, sql: &str) -> Result<String> {
    let url = url(app, attachment)?;
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, &url]);
    Ok(Output::of(&mut psql)?.ok()?.stdout.trim().to_owned())
}

/// Somebody who writes into both tables without end.
struct Writing(Child);

impl Writing {
    fn start(app: &App<'_>) -> Result<Self> {
        let sql = "DO $$ BEGIN LOOP INSERT INTO lefts DEFAULT VALUES; INSERT INTO rights DEFAULT VALUES; COMMIT; \
                   END LOOP; END $$";
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-c", sql, &url(app, "DATABASE")?])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self(psql.spawn().context("cannot start psql")?))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // It goes on to the end of its connection, which this is.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
