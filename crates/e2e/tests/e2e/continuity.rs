//! Forks, rollbacks and followers with the official CLI.

use crate::catalog::{host, volume};
use crate::run;
use anyhow::{Context, Result, bail, ensure};
use e2e::{App, Output, Server, until};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

const THINGS: &str = "CREATE TABLE things (id bigserial PRIMARY KEY, body text NOT NULL);
    INSERT INTO things (body) SELECT repeat(md5(n::text), 4) FROM generate_series(1, 20000) AS n";
/// Enough for a segment of changes that is full.
const MORE: &str = "INSERT INTO more SELECT repeat(md5(n::text), 8) FROM generate_series(1, 80000) AS n";
const SUM: &str = "SELECT count(*) || ' ' || md5(string_agg(body, '' ORDER BY id)) FROM things";

/// A table that was dropped is had again from a second before.
pub(crate) fn rolled_back_and_forked(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "past")?;
        order(&app, "standard-0", "past-main", &[])?;
        let early = refused(&app, &["--fork", "DATABASE", "--rollback", "--by", "1 hour"])?;
        ensure!(
            early.contains("no rollback yet") || early.contains("can be rolled back to a time from"),
            "{early}"
        );
        ask(&app, "DATABASE", THINGS)?;
        protected(&app).await?;
        let before = ask(&app, "DATABASE", SUM)?;
        let then = passed(&app)?;
        ask(&app, "DATABASE", "DROP TABLE things")?;
        ask(&app, "DATABASE", "CREATE TABLE later (n int)")?;

        order(
            &app,
            "standard-0",
            "past-back",
            &["--as", "BACK", "--", "--fork", "DATABASE", "--rollback", "--to", &then],
        )?;
        ensure!(ask(&app, "BACK", SUM)? == before, "not what it was");
        ensure!(ask(&app, "BACK", "SELECT to_regclass('later') IS NULL")? == "t", "it is of a later time");
        // Users of the one are none of the other's.
        let (main, back) = (url(&app, "DATABASE")?, url(&app, "BACK")?);
        let stolen = main.replace(host(&main)?, host(&back)?);
        let output = Output::of(std::process::Command::new("psql").args([&stolen, "-c", "SELECT 1"]))?;
        ensure!(output.code != 0 && output.all().contains("authentication failed"), "{}", output.all());
        ask(&app, "BACK", "INSERT INTO things (body) VALUES ('its own way')")?;
        app.heroku(&["pg:info", "BACK"])?.ok()?.says("Forked From:")?.says("DATABASE")?;

        // As it is now, from another app, by its name.
        let other = App::create(server, "past-other")?;
        order(&other, "standard-0", "past-fork", &["--", "--fork", "past::DATABASE"])?;
        ensure!(
            ask(&other, "DATABASE", "SELECT to_regclass('later') IS NOT NULL")? == "t",
            "not as it is now"
        );
        orders_that_cannot_be_met(&app)?;
        for app in [&other, &app] {
            app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
        }
        Ok(())
    })
}

fn orders_that_cannot_be_met(app: &App<'_>) -> Result<()> {
    for (options, why) in [
        (
            &["--fork", "DATABASE", "--rollback", "--to", "2001-01-01 00:00+00"][..],
            "can be rolled back to a time from",
        ),
        (&["--rollback", "DATABASE", "--to", "2101-01-01 00:00+00"], "can be rolled back to a time from"),
        (&["--fork", "DATABASE", "--rollback"], "Say to when"),
        (&["--fork", "DATABASE", "--to", "2001-01-01"], "belong to --rollback"),
        (&["--fork", "NOTHING"], "Couldn't find"),
        (&["--fork", "DATABASE", "--follow", "past-main"], "not both"),
        (&["--colour", "red"], "does not know the option --colour"),
    ] {
        let said = refused(app, options)?;
        ensure!(said.contains(why), "{options:?}: {said}");
    }
    let small =
        app.heroku(&["addons:create", "heroku-postgresql:essential-0", "--", "--fork", "DATABASE"])?;
    ensure!(small.code != 0 && flat(&small).contains("share a server"), "{}", small.all());
    ensure!(
        app.heroku(&["addons"])?.ok()?.stdout.matches("standard-0").count() == 2,
        "something was ordered"
    );
    Ok(())
}

/// An archive that cannot be written to is told, and does not stop the database.
pub(crate) fn protected_again(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "guard")?;
        order(&app, "standard-0", "guard-main", &[])?;
        protected(&app).await?;
        failing(&app).await?;
        app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
        Ok(())
    })
}

async fn failing(app: &App<'_>) -> Result<()> {
    let archive = archive(app, "DATABASE")?;
    let obstacle = archive.join("wal/.new");
    fs::create_dir(&obstacle)?;
    ask(app, "DATABASE", "CREATE TABLE more (body text)")?;
    ask(app, "DATABASE", MORE)?;
    app.logs_say("Continuous protection of guard-main fails").await?;
    app.heroku(&["pg:info", "DATABASE"])?.ok()?.says("Failing:")?;
    fs::remove_dir(&obstacle)?;
    ask(app, "DATABASE", MORE)?;
    app.logs_say("Continuous protection of guard-main works again").await?;
    // Changes that are given up are made up for by a base backup.
    let copies = || -> Result<Vec<_>> {
        fs::read_dir(archive.join("base"))?.map(|entry| Ok(entry?.file_name())).collect()
    };
    let before = copies()?;
    fs::write(archive.join("gap"), "")?;
    app.logs_say("Continuous protection of guard-main was interrupted").await?;
    protected(app).await?;
    let after = copies()?;
    ensure!(after.len() == 1 && before != after && !archive.join("gap").exists(), "{before:?} {after:?}");
    Ok(())
}

/// A follower sees what is written, refuses to be written to, and goes its own way.
pub(crate) fn followed(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "lead")?;
        order(&app, "standard-0", "lead-main", &[])?;
        ask(&app, "DATABASE", THINGS)?;
        order(&app, "standard-0", "lead-twin", &["--as", "TWIN", "--", "--follow", "DATABASE_URL"])?;
        caught_up(&app).await?;
        let written = app.heroku(&["pg:psql", "TWIN", "--command", "DELETE FROM things"])?;
        ensure!(written.all().contains("read-only transaction"), "{}", written.all());
        app.heroku(&["pg:info", "DATABASE"])?.ok()?.says("Followers:")?.says("TWIN")?;
        app.heroku(&["pg:info", "TWIN"])?.ok()?.says("Following:")?.says("DATABASE")?.says("Behind By:")?;
        app.logs_say("sample#follower-lag-commits=").await?;
        app.heroku(&["pg:reset", "TWIN", "--confirm", &app.name])?.fails()?.says("read-only")?;
        let kept = app.heroku(&["addons:destroy", "lead-main", "--confirm", &app.name])?;
        ensure!(kept.code != 0 && flat(&kept).contains("has followers"), "{}", kept.all());

        // A new password of the leader's is the follower's as well.
        let old = url(&app, "TWIN")?;
        app.heroku(&["pg:credentials:rotate", "DATABASE", "--confirm", &app.name])?.ok()?;
        until("the follower's new password", async || {
            let new = url(&app, "TWIN").map_err(|error| error.to_string())?;
            if new == old { Err(new) } else { Ok(()) }
        })
        .await?;
        // A leader that is started anew is followed on.
        app.heroku(&["addons:upgrade", "lead-main", "heroku-postgresql:standard-2"])?.ok()?;
        until("the larger server", async || {
            let most = ask(&app, "DATABASE", "SHOW max_connections").map_err(|error| error.to_string())?;
            if most == "410" { Ok(()) } else { Err(most) }
        })
        .await?;
        ask(&app, "DATABASE", "INSERT INTO things (body) VALUES ('after the restart')")?;
        caught_up(&app).await?;

        let promoted = app.heroku(&["pg:promote", "TWIN"])?.ok()?;
        ensure!(flat(&promoted).contains("currently a follower"), "{}", promoted.all());
        let shared = url(&app, "TWIN")?;
        app.heroku(&["pg:unfollow", "TWIN", "--confirm", &app.name])?.ok()?;
        until("passwords of its own", async || {
            let own = url(&app, "TWIN").map_err(|error| error.to_string())?;
            if own == shared { Err(own) } else { Ok(()) }
        })
        .await?;
        ask(&app, "TWIN", "INSERT INTO things (body) VALUES ('its own way')")?;
        ensure!(ask(&app, "TWIN", SUM)? != ask(&app, "HEROKU_POSTGRESQL", SUM)?, "they are still one");
        app.heroku(&["pg:info", "TWIN"])?.ok()?.says_not("Following")?;
        app.heroku(&["addons:destroy", "lead-main", "--confirm", &app.name])?.ok()?;
        app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
        Ok(())
    })
}

/// The server dies while a database is being forked; the next one forks it, or takes away what cannot be had.
pub(crate) fn forked_by_the_next_server() -> Result<()> {
    run(crate::kills::story("kill-fork", async |server| {
        let app = App::create(server, "killed-fork")?;
        order(&app, "standard-0", "killed-main", &[])?;
        ask(&app, "DATABASE", THINGS)?;
        ask(&app, "DATABASE", "INSERT INTO things (body) SELECT body FROM things, generate_series(1, 20)")?;
        let leader = url(&app, "DATABASE")?;
        let sign = format!("KIGO_ORIGIN_HOST={}", host(&leader)?);
        let order = json!({ "plan": "heroku-postgresql:standard-0", "name": "killed-twin",
            "attachment": { "name": "TWIN" }, "config": { "fork": "DATABASE" } });
        let path = format!("/apps/{}/addons", app.name);
        // The answer does not come: the server dies before it has it.
        let (_, copying) = tokio::join!(server.api("POST", &path, Some(order)), async {
            let copying = until("the copy", async || copying(&sign).ok_or("nobody copies")).await?;
            server.kill_and_restart().await?;
            anyhow::Ok(copying)
        });
        let copying = copying?;
        app.heroku(&["addons:wait", "TWIN"])?.ok()?;
        ensure!(ask(&app, "DATABASE", SUM)? == ask(&app, "TWIN", SUM)?, "not the same");
        ensure!(!PathBuf::from(format!("/proc/{copying}")).exists(), "who was cut off goes on");
        app.heroku(&["addons:destroy", "TWIN", "--confirm", &app.name])?.ok()?;
        let count = |folder: &str| fs::read_dir(server.data().join(folder)).map(Iterator::count);
        until("nothing to be left of it", async || match (count("volumes"), count("archives")) {
            (Ok(1), Ok(1)) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
    }))
}

/// The process that copies a server's files for whoever has this in its environment.
fn copying(sign: &str) -> Option<String> {
    let entries = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut copies = entries.filter(|pid| {
        let has = |file: &str, word: &str| {
            let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            text.split(|byte| *byte == 0).any(|part| part == word.as_bytes())
        };
        has("cmdline", "--pgdata=/data/new") && has("environ", sign)
    });
    copies.next()
}

/// Orders a database and waits for it.
fn order(app: &App<'_>, plan: &str, name: &str, more: &[&str]) -> Result<()> {
    let plan = format!("heroku-postgresql:{plan}");
    let output = app.heroku(&[&["addons:create", &plan, "--name", name, "--wait"], more].concat())?;
    if output.code != 0 {
        // Why is said there.
        bail!("{}\n{}", output.all(), app.heroku(&["logs", "--num", "20"])?.all());
    }
    Ok(())
}

/// What is said about an order that is not taken.
fn refused(app: &App<'_>, options: &[&str]) -> Result<String> {
    let output = app.heroku(&[&["addons:create", "heroku-postgresql:standard-0", "--"], options].concat())?;
    ensure!(output.code != 0, "{}", output.all());
    Ok(flat(&output))
}

/// Waits until the database can be rolled back.
async fn protected(app: &App<'_>) -> Result<()> {
    until("a base backup", async || {
        let info = app.heroku(&["pg:info", "DATABASE"]).map_err(|error| error.to_string())?.all();
        let there =
            info.contains("earliest from") && info.lines().any(|line| line.ends_with("Protection: On"));
        if there { Ok(()) } else { Err(info) }
    })
    .await
}

/// A second that is over, by the database's own clock.
fn passed(app: &App<'_>) -> Result<String> {
    let next = "SELECT to_char(date_trunc('second', clock_timestamp()) + interval '1 second', 'YYYY-MM-DD HH24:MI:SS') || '+00'";
    let then = ask(app, "DATABASE", next)?;
    ask(app, "DATABASE", &format!("SELECT pg_sleep_until(timestamptz '{then}' + interval '1 second')"))?;
    Ok(then)
}

async fn caught_up(app: &App<'_>) -> Result<()> {
    let leader = ask(app, "DATABASE", SUM)?;
    until("the follower to have it all", async || {
        let twin = ask(app, "TWIN", SUM).map_err(|error| error.to_string())?;
        if twin == leader { Ok(()) } else { Err(twin) }
    })
    .await
}

/// What a statement answers, by an attachment.
fn ask(app: &App<'_>, attachment: &str, sql: &str) -> Result<String> {
    let url = url(app, attachment)?;
    let arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", sql];
    let output = Output::of(std::process::Command::new("psql").args(arguments))?.ok()?;
    Ok(output.stdout.trim().to_owned())
}

/// The value of the config var whose name begins so.
fn url(app: &App<'_>, attachment: &str) -> Result<String> {
    let config = app.heroku(&["config", "--shell"])?.ok()?.stdout;
    let line = config.lines().find(|line| line.starts_with(attachment)).with_context(|| config.clone())?;
    let (_, value) = line.split_once('=').context("no value")?;
    Ok(value.trim_matches('\'').to_owned())
}

/// What the CLI said, without the breaks that it puts into long lines.
fn flat(output: &Output) -> String {
    output.all().split_whitespace().filter(|word| *word != "›").collect::<Vec<_>>().join(" ")
}

/// Where the past of a database lies.
fn archive(app: &App<'_>, attachment: &str) -> Result<PathBuf> {
    let url = url(app, attachment)?;
    let volume = volume("postgres", host(&url)?)?;
    let instance = volume.parent().and_then(|path| path.file_name()).context("no instance")?;
    Ok(app.server.data().join("archives").join(instance))
}
