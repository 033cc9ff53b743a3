//! Key-value stores with the official CLI.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server};
use std::io::Write;
use std::process::Stdio;

/// `heroku redis:cli` with these lines typed in.
pub(crate) fn typed(app: &App<'_>, store: &str, lines: &str) -> Result<String> {
    let mut command = app.server.heroku_command(&["redis:cli", store, "--app", &app.name])?;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("no input")?.write_all(lines.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

/// Every command of the topic, and what it changes outlives the service's container.
pub(crate) fn the_official_cli(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "keyed")?;
        app.heroku(&["addons:create", "heroku-redis:mini", "--name", "keyed-store"])?.ok()?;
        app.heroku(&["addons:wait"])?.ok()?;
        app.heroku(&["redis:wait", "--wait-interval", "1"])?.ok()?;
        let info = app.heroku(&["redis:info"])?.ok()?;
        info.says("keyed-store (REDIS_URL)")?
            .says("Mini")?
            .says("available")?
            .says("300")?
            .says("noeviction")?;

        app.heroku(&["redis:timeout", "--seconds", "60"])?
            .ok()?
            .says("Timeout for keyed-store (REDIS_URL) set to 60 seconds.")?;
        app.heroku(&["redis:maxmemory", "--policy", "allkeys-lru"])?
            .ok()?
            .says("set to allkeys-lru.")?
            .says("allkeys-lru evicts the keys that were used least recently.")?;
        app.heroku(&["redis:keyspace-notifications", "--config", "AKE"])?.ok()?.says("set to 'AKE'")?;
        app.heroku(&["redis:maxmemory", "--policy", "nonsense"])?.fails()?.says("is not one of")?;
        app.heroku(&["redis:timeout", "--seconds", "-1"])?.fails()?.says("is not a number from 0")?;
        let info = app.heroku(&["redis:info"])?.ok()?;
        info.says("60")?.says("allkeys-lru")?.says("AKE")?;

        let said = typed(&app, "keyed-store", "SET colour blue\nGET colour\nCONFIG GET timeout\n")?;
        ensure!(said.contains("Connecting to keyed-store (REDIS_URL)") && said.contains("blue"), "{said}");
        ensure!(said.contains("NOPERM"), "users change the service's configuration: {said}");
        let reset = app.heroku(&["redis:stats-reset", "--confirm", "keyed"])?.ok()?;
        reset.says("Stats reset for keyed-store.")?;
        let upgrade = ["redis:upgrade", "--confirm", "keyed", "--version"];
        app.heroku(&[&upgrade[..], &["8"]].concat())?.ok()?.says("which is the newest here")?;
        app.heroku(&[&upgrade[..], &["9.0"]].concat())?.fails()?.says("There is no version 9.0")?;

        // A second one, promoted.
        app.heroku(&["addons:create", "heroku-redis:mini", "--name", "keyed-second"])?.ok()?;
        app.heroku(&["addons:wait"])?.ok()?;
        app.heroku(&["redis:promote", "keyed-second"])?.ok()?;
        let second = app.heroku(&["redis:credentials", "keyed-second"])?.ok()?.stdout;
        let config = app.heroku(&["config:get", "REDIS_URL"])?.ok()?.stdout;
        ensure!(second == config && second.starts_with("rediss://:p"), "{second} {config}");
        rotated(&app)?;
        app.heroku(&["apps:destroy", "--confirm", "keyed"])?.ok()?;
        Ok(())
    })
}

/// A new password makes a release, and the old one opens nothing any more.
fn rotated(app: &App<'_>) -> Result<()> {
    let before = app.heroku(&["redis:credentials", "keyed-store"])?.ok()?.stdout;
    app.heroku(&["redis:credentials", "keyed-store", "--reset"])?.ok()?.says("Resetting credentials")?;
    let after = app.heroku(&["redis:credentials", "keyed-store"])?.ok()?.stdout;
    ensure!(before != after, "{after}");
    let said = typed(app, "keyed-store", "GET colour\n")?;
    ensure!(said.contains("blue"), "{said}");
    let url = before.trim();
    let place = url.rsplit_once('@').context("no host")?.1;
    let (host, port) = place.split_once(':').context("no port")?;
    let password = url.split(':').nth(2).and_then(|rest| rest.split('@').next()).context("no password")?;
    let knock = format!(
        "printf 'AUTH {password}\\r\\n' | timeout 5 openssl s_client -quiet -connect {host}:{port} 2>/dev/null"
    );
    let answer = Output::of(std::process::Command::new("bash").args(["-c", &knock]))?;
    ensure!(answer.stdout.contains("WRONGPASS"), "{}", answer.all());
    let releases = app.heroku(&["releases"])?.ok()?.stdout;
    ensure!(releases.contains("Update") && releases.contains("by heroku-redis"), "{releases}");
    Ok(())
}
