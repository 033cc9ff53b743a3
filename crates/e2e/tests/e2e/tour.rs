//! The road that a newcomer takes.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server, server, until};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// `create`, `config:set`, `git push`, `ps:scale`, `logs`: the README's tour, on a tiny app.
pub(crate) fn from_login_to_a_running_app(server: &Server) -> Result<()> {
    run(async {
        server.heroku(&["auth:whoami"])?.ok()?.says("admin@example.com")?;
        let app = App::tiny(server, "tour-app", "hello")?;
        app.heroku(&["config:set", "NODE_ENV=production", "WORD=secret"])?.ok()?.says("done, v3")?;
        let push = app.push()?.ok()?;
        let push = push.says("remote: -----> Building on the kigo-13 stack")?;
        let push = push.says("remote: -----> Node.js app detected")?.says("Released v4")?;
        push.says("http://tour-app.localhost")?.says("Verifying deploy... done.")?;
        let answer = app.answers("hello from web.1").await?;
        ensure!(answer.body.contains("\"secret\""), "config vars reach the dyno: {}", answer.body);
        app.heroku(&["ps"])?.ok()?.says("web (Basic): node web.js (1)")?.says("web.1: up")?;
        app.logs_say("heroku[web.1]: State changed from starting to up").await?;
        app.logs_say("app[web.1]: listening").await?;
        app.logs_say("heroku[router]: at=info method=GET path=\"/\" host=tour-app.localhost").await?;
        app.heroku(&["apps:destroy", "--confirm", "tour-app"])?.ok()?;
        let gone = until("the app to be gone", async || match app.get("/").await {
            Ok(answer) if answer.status == 404 => Ok(answer),
            other => Err(format!("{other:?}")),
        });
        gone.await?;
        Ok(())
    })
}

/// The sample app of the README: dependencies from npm, `web`, `worker` and `release`.
pub(crate) fn the_sample_app_runs_all_its_process_types(server: &Server) -> Result<()> {
    run(async {
        let app = App::example(server, "sample-app", "node-hello")?;
        let push = app.push()?.ok()?;
        crate::languages::snapshot("node-hello", &push);
        push.says("Running release command...")?.says("Waiting for release.... done.")?;
        app.heroku(&["ps:scale", "web=2", "worker=1"])?.ok()?.says("web at 2:Basic")?;
        app.up(&["web.1", "web.2", "worker.1"]).await?;
        app.answers("web.").await?;
        let console = "node -p \"'express ' + require('express/package.json').version\"";
        app.heroku(&["run", "--no-tty", "--exit-code", console])?.ok()?.says("express 5.")?;
        tail_shows(&app, "app[worker.1]: ")?;
        app.logs_say("app[release.").await?;
        // A changed program with the same lockfile installs nothing again.
        app.write("CHANGED.md", "changed\n")?;
        app.commit("second")?;
        let push = app.push()?.ok()?;
        push.says("Waiting for release.... done.")?.says_not("added ")?;
        app.up(&["web.1", "web.2", "worker.1"]).await?;
        Ok(())
    })
}

/// `heroku logs --tail` goes on printing; what is looked for must come while it runs.
fn tail_shows(app: &App<'_>, words: &str) -> Result<()> {
    // A tail that says nothing must not hold the test for ever.
    let mut command = Command::new("timeout");
    command.arg("120").arg(server::heroku()?).args(["logs", "--tail", "--app", &app.name]);
    command.envs(app.server.client_env()?).env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    let mut tail = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let printed = tail.stdout.take().context("stdout")?;
    // Two of them: the first may be history, the second comes while the tail is open.
    let found =
        BufReader::new(printed).lines().map_while(Result::ok).filter(|line| line.contains(words)).take(2);
    let count = found.count();
    // Not SIGKILL, which would leave the tail behind.
    Output::of(Command::new("kill").arg(tail.id().to_string()))?;
    tail.wait()?;
    ensure!(count == 2, "logs --tail ended without saying {words:?} twice");
    Ok(())
}

/// What a watchdog, an orchestrator and Prometheus ask for; none of it needs a token.
pub(crate) fn operators_see_health_and_metrics(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "watched-app", "watched")?;
        app.push()?.ok()?;
        app.answers("watched from web.1").await?;
        let page = async |path: &str| -> Result<String> {
            let answer = reqwest::get(format!("{}{path}", server.api_url)).await?;
            ensure!(answer.status().is_success(), "{path}: {}", answer.status());
            Ok(answer.text().await?)
        };
        ensure!(page("/healthz").await? == "ok\n");
        ensure!(page("/readyz").await?.contains("\"status\":\"ready\""));
        let metrics = page("/metrics").await?;
        for words in ["kigo_apps ", "kigo_dynos{state=\"up\"} ", "kigo_router_requests_total{class=\"2xx\"} "]
        {
            ensure!(metrics.contains(words), "no {words} in {metrics}");
        }
        Ok(())
    })
}

/// The same commands without Node, in both spellings.
pub(crate) fn kigos_own_cli_does_the_same(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "own-cli-app", "own")?;
        app.push()?.ok()?;
        app.answers("own from web.1").await?;
        let flag = ["--app", "own-cli-app"];
        let kigo = |words: &[&str]| server.kigo(&[words, &flag].concat());
        kigo(&["config:set", "A=1"])?.ok()?.says("A")?;
        kigo(&["config", "set", "B=2"])?.ok()?.says("B")?;
        kigo(&["config"])?.ok()?.says("A")?.says("B")?;
        kigo(&["ps:scale", "web=2"])?.ok()?.says("web")?;
        app.up(&["web.1", "web.2"]).await?;
        kigo(&["ps"])?.ok()?.says("web.2")?;
        kigo(&["releases"])?.ok()?.says("Set B config vars")?;
        kigo(&["logs", "--num", "1500"])?.ok()?.says("listening")?;
        let json = kigo(&["info", "--json"])?.ok()?;
        ensure!(json.stdout.trim_start().starts_with('{'), "info --json prints JSON: {}", json.stdout);
        let exit = server.kigo(&["run", "--app", "own-cli-app", "--exit-code", "--", "bash -c 'exit 5'"])?;
        ensure!(exit.code == 5, "the exit code of the dyno is the command's: {exit:?}");
        server
            .kigo(&["ps:scale", "web=1", "--app", "no-such-app"])?
            .fails()?
            .says("Couldn't find that app")?;
        kigo(&["rollback"])?.ok()?;
        Ok(())
    })
}
