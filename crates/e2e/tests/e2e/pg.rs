//! Every `pg` command of the official CLI, against a database that shares its server and one that does
//! not.

use crate::run;
use anyhow::{Context, Result, bail, ensure};
use e2e::{App, Server, until};
use std::collections::BTreeSet;
use std::process::Stdio;

const LINES: &str = include_str!("pg-commands.tsv");

/// What stands in the table, line by line.
pub(crate) fn every_command(server: &Server) -> Result<()> {
    run(async {
        all_are_listed(server)?;
        let app = App::tiny(server, "pgtable", "databases")?;
        app.push()?.ok()?;
        app.answers("databases").await?;
        app.heroku(&["addons:create", "heroku-postgresql:essential-0", "--name", "pgtable-small"])?.ok()?;
        let own = ["addons:create", "heroku-postgresql:standard-0", "--name", "pgtable-own", "--as", "OWN"];
        app.heroku(&own)?.ok()?;
        app.heroku(&["addons:wait"])?.ok()?;
        let mut wrong = Vec::new();
        for (number, line) in LINES.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            if let Err(error) = command(&app, line) {
                wrong.push(format!("line {}: {line}\n{error:#}", number + 1));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        diagnosed(&app).await?;
        larger_plans(&app).await?;
        app.answers("databases").await?;
        app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
        Ok(())
    })
}

/// All checks are made, somebody who waits is found, and the report can be had again.
async fn diagnosed(app: &App<'_>) -> Result<()> {
    let json = |words: &[&str]| -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&app.heroku(words)?.ok()?.stdout)?)
    };
    let of_check = |report: &serde_json::Value, name: &str| -> Result<serde_json::Value> {
        let found = report["checks"].as_array().and_then(|all| all.iter().find(|one| one["name"] == name));
        found.cloned().with_context(|| format!("no {name} in {report}"))
    };
    let report = json(&["pg:diagnose", "OWN", "--json"])?;
    let skipped = |one: &serde_json::Value| one["status"] == "skipped";
    ensure!(
        report["checks"].as_array().is_some_and(|all| all.len() == 14 && !all.iter().any(skipped)),
        "{report}"
    );
    let id = report["id"].as_str().context("no id")?;
    ensure!(json(&["pg:diagnose", id, "--json"])? == report, "the report has changed");
    let hold = ["pg:psql", "OWN", "--command", "BEGIN; CREATE TABLE held (); SELECT pg_sleep(1000)"];
    let wait = ["pg:psql", "OWN", "--command", "CREATE TABLE held ()"];
    let mut waiting = Vec::new();
    let begin = |words: [&str; 4]| {
        let mut command = app.server.heroku_command(&words)?;
        command.arg("--app").arg(&app.name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        anyhow::Ok(command.spawn()?)
    };
    waiting.push(begin(hold)?);
    // The other one would not wait if it were the first.
    let held = until("the first to hold its lock", async || {
        let running = app.heroku(&["pg:ps", "OWN"]).map_err(|error| format!("{error:#}"))?.all();
        if running.contains("pg_sleep(1000)") { Ok(()) } else { Err(running) }
    })
    .await;
    waiting.push(begin(wait)?);
    let blocked = until("the second to wait for the first", async || {
        let report = json(&["pg:diagnose", "OWN", "--json"]).map_err(|error| format!("{error:#}"))?;
        let check = of_check(&report, "Blocking Queries").map_err(|error| format!("{error:#}"))?;
        if check["status"] == "red" { Ok(check) } else { Err(check.to_string()) }
    })
    .await;
    // Both end with their connections.
    app.heroku(&["pg:killall", "OWN"])?.ok()?;
    for mut child in waiting {
        child.wait()?;
    }
    held?;
    let blocked = blocked?;
    let statement = blocked["results"][0]["blocking_statement"].as_str().unwrap_or_default();
    ensure!(statement.contains("pg_sleep"), "{blocked}");
    Ok(())
}

/// A server of one's own is started anew, of another size; one that is shared learns of the limits.
async fn larger_plans(app: &App<'_>) -> Result<()> {
    let limits = [
        ("pgtable-own", "standard-2", "SHOW max_connections", "410"),
        (
            "pgtable-small",
            "essential-2",
            "SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user",
            "40",
        ),
    ];
    for (name, plan, question, answer) in limits {
        app.heroku(&["addons:upgrade", name, &format!("heroku-postgresql:{plan}")])?.ok()?;
        until("the new limits", async || {
            let output =
                app.heroku(&["pg:psql", name, "--command", question]).map_err(|error| error.to_string())?;
            let there = output.stdout.lines().any(|line| line.trim() == answer);
            if there { Ok(()) } else { Err(output.all()) }
        })
        .await?;
    }
    Ok(())
}

fn command(app: &App<'_>, line: &str) -> Result<()> {
    let [command, outcome, words] = line.split('\t').collect::<Vec<_>>()[..] else {
        bail!("not three columns");
    };
    let arguments = shlex::split(command).context("quotes that are not closed")?;
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match outcome {
        "ok" => app.heroku(&arguments)?.ok()?.says(words).map(drop),
        "fails" => app.heroku(&arguments)?.fails()?.says(words).map(drop),
        "left out" if words.is_empty() => bail!("no reason"),
        "left out" => Ok(()),
        other => bail!("{other:?} is no outcome"),
    }
}

/// The CLI has no `pg` command that the table does not have.
fn all_are_listed(server: &Server) -> Result<()> {
    let listing = server.heroku_command(&["commands", "--json"])?.output()?;
    let listing: serde_json::Value = serde_json::from_slice(&listing.stdout)?;
    let ids = listing.as_array().context("no list")?.iter().filter_map(|one| one["id"].as_str());
    let commands: BTreeSet<_> = ids.filter(|id| id.starts_with("pg:")).collect();
    ensure!(commands.len() > 50, "the CLI lists only {commands:?}");
    let listed: BTreeSet<_> = LINES.lines().filter_map(|line| line.split([' ', '\t']).next()).collect();
    let missing: Vec<_> = commands.difference(&listed).collect();
    ensure!(missing.is_empty(), "not in the table: {missing:?}");
    Ok(())
}
