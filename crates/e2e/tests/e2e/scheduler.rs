//! The scheduler: ordered with the official CLI, jobs run by hand and when they are due, also over a kill of
//! the server; its page.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Server, server, until};
use serde_json::Value;

/// A deployed app with a scheduler.
async fn scheduled<'a>(server: &'a Server, name: &str) -> Result<App<'a>> {
    let app = App::tiny(server, name, name)?;
    let made = app.heroku(&["addons:create", "scheduler:standard"])?.ok()?;
    ensure!(made.all().contains("created") || made.all().contains("Created"), "{}", made.all());
    app.push()?.ok()?;
    app.answers(name).await?;
    Ok(app)
}

fn kigo(app: &App<'_>, words: &[&str]) -> Result<e2e::Output> {
    app.server.kigo(&[words, &["--app", &app.name]].concat())
}

fn history(app: &App<'_>) -> Result<Vec<Value>> {
    let printed = kigo(app, &["scheduler:history", "--num", "100", "--json"])?.ok()?.stdout;
    Ok(serde_json::from_str(&printed)?)
}

/// Waits for a run that is as wanted.
async fn ran(app: &App<'_>, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    until(what, async || {
        let runs = history(app).map_err(|error| format!("{error:#}"))?;
        runs.iter().find(|run| wanted(run)).cloned().ok_or_else(|| format!("{runs:#?}"))
    })
    .await
}

/// Jobs from the first to the last command.
pub(crate) fn jobs_run_by_hand_and_when_due(server: &Server) -> Result<()> {
    run(async {
        let app = scheduled(server, "ticker").await?;
        let plans = app.heroku(&["addons:plans", "scheduler"])?.ok()?.stdout;
        ensure!(plans.contains("scheduler:standard") && plans.contains("free"), "{plans}");
        let info = app.heroku(&["addons:info", "SCHEDULER"])?.ok()?.stdout;
        ensure!(info.contains("scheduler:standard") && info.contains("free"), "{info}");
        let again = app.heroku(&["addons:create", "scheduler:standard"])?;
        ensure!(again.code != 0 && again.all().contains("once for each app"), "{}", again.all());
        ensure!(!app.heroku(&["config"])?.ok()?.stdout.contains("SCHEDULER"));

        let say = "echo \"it is $(date +%Y), in $DYNO\"";
        let added =
            kigo(&app, &["scheduler:add", say, "--every", "daily at 04:30", "--size", "standard-1x"])?
                .ok()?;
        ensure!(added.stdout.contains("runs daily at 04:30, next at"), "{}", added.all());
        let failing =
            kigo(&app, &["scheduler:add", "exit 4", "--every", "0 4 * * 1", "--timezone", "Europe/Berlin"])?;
        failing.ok()?;
        let listed = kigo(&app, &["scheduler:jobs"])?.ok()?.stdout;
        ensure!(listed.contains("0 4 * * 1 Europe/Berlin") && listed.contains("never"), "{listed}");
        let refused = kigo(&app, &["scheduler:add", "x", "--every", "every 7 minutes"])?;
        ensure!(refused.code == 1 && refused.stderr.contains("is no frequency"), "{}", refused.all());

        let begun = kigo(&app, &["scheduler:run", say])?.ok()?;
        let dyno = begun.stderr.rsplit("done, ").next().unwrap_or_default().trim().to_owned();
        ensure!(dyno.starts_with("scheduler."), "{}", begun.all());
        let log = app.logs_say(&format!("app[{dyno}]: it is 20")).await?;
        ensure!(log.contains(&format!("in {dyno}")), "{log}");
        ensure!(log.contains(&format!("heroku[{dyno}]: Starting process with command `echo ")), "{log}");
        let run = ran(&app, "the run to be written down", |run| run["status"] == "succeeded").await?;
        ensure!(run["exit_code"] == 0 && run["dyno"] == dyno.as_str() && run["due_at"].is_null(), "{run:#}");

        let begun = kigo(&app, &["scheduler:run", "exit 4"])?.ok()?;
        ensure!(begun.stderr.contains("scheduler."), "{}", begun.all());
        let run = ran(&app, "the failure to be written down", |run| run["status"] == "failed").await?;
        ensure!(run["failure"] == "it exited with status 4", "{run:#}");

        let changed =
            kigo(&app, &["scheduler:update", "exit 4", "--command", "echo due", "--every", "* * * * *"])?;
        ensure!(changed.ok()?.stdout.contains("echo due runs * * * * * Europe/Berlin"));
        // Each minute is one of the next minute at the latest.
        let run = ran(&app, "a due time to have its run", |run| {
            run["status"] == "succeeded" && run["due_at"].is_string()
        })
        .await?;
        let dyno = run["dyno"].as_str().context("a dyno")?;
        let log = app.logs_say(&format!("app[{dyno}]: due")).await?;
        ensure!(
            log.contains("Starting process with command `echo due` by user scheduler@addons.heroku.com"),
            "{log}"
        );
        kigo(&app, &["scheduler:remove", "echo due"])?.ok()?;
        let listed = kigo(&app, &["scheduler:jobs", "--json"])?.ok()?.stdout;
        ensure!(serde_json::from_str::<Vec<Value>>(&listed)?.len() == 1, "{listed}");

        page(&app).await?;
        app.heroku(&["addons:destroy", "scheduler", "--confirm", &app.name])?.ok()?;
        let gone = kigo(&app, &["scheduler:jobs"])?;
        ensure!(gone.code == 1 && gone.stderr.contains("has no scheduler"), "{}", gone.all());
        Ok(())
    })
}

/// Due times while the server is killed again and again have one run each.
pub(crate) fn no_due_time_runs_twice() -> Result<()> {
    run(async {
        let server = Server::start("scheduler", &[]).await?;
        let app = scheduled(&server, "once").await?;
        kigo(&app, &["scheduler:add", "echo ran; sleep 3", "--every", "* * * * *"])?.ok()?;
        let mut kills = 0;
        until("a due time to have its run, over kills of the server", async || {
            kills += 1;
            server.kill_and_restart().await.map_err(|error| format!("{error:#}"))?;
            let runs = history(&app).map_err(|error| format!("{error:#}"))?;
            let ended = runs.iter().filter(|run| run["status"] == "succeeded").count();
            if ended >= 1 { Ok(()) } else { Err(format!("{kills} kills: {runs:#?}")) }
        })
        .await?;
        let runs = history(&app)?;
        let mut due: Vec<_> = runs.iter().filter_map(|run| run["due_at"].as_str()).collect();
        let count = due.len();
        due.sort_unstable();
        due.dedup();
        ensure!(due.len() == count, "{runs:#?}");
        let done: Vec<_> = runs.iter().filter(|run| run["status"] == "succeeded").collect();
        for run in done {
            let dyno = run["dyno"].as_str().context("a dyno")?;
            let log = app.logs_say(&format!("app[{dyno}]: ran")).await?;
            ensure!(log.matches(&format!("app[{dyno}]: ran")).count() == 1, "{log}");
        }
        drop(app);
        server.purge()
    })
}

/// The add-on's page: by the link that the API gives, and with a password.
async fn page(app: &App<'_>) -> Result<()> {
    let shown = app.heroku(&["addons:open", "scheduler", "--show-url"])?.ok()?.stdout.trim().to_owned();
    ensure!(shown.starts_with(&app.server.api_url), "{shown}");
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let stranger = browser.get(&shown).send().await?.text().await?;
    ensure!(stranger.contains("Log in to Kigo") && !stranger.contains("daily at 04:30</td>"), "{stranger}");
    let login = async |password: &str| {
        let form = [("action", "login"), ("email", server::EMAIL), ("password", password)];
        let form = reqwest::Url::parse_with_params("form:", form)?.query().unwrap_or_default().to_owned();
        let post =
            browser.post(&shown).header("content-type", "application/x-www-form-urlencoded").body(form);
        Ok::<_, anyhow::Error>(post.send().await?)
    };
    let refused = login("wrong").await?;
    ensure!(refused.status() == 401, "{}", refused.status());
    let entered = login(server::PASSWORD).await?;
    ensure!(entered.status() == 303, "{}", entered.status());
    let cookie = entered.headers().get("set-cookie").context("a cookie")?.to_str()?.to_owned();
    let cookie = cookie.split(';').next().unwrap_or_default();
    let page = browser.get(&shown).header("cookie", cookie).send().await?.text().await?;
    ensure!(page.contains("daily at 04:30</td>"), "{page}");
    Ok(())
}
