//! A backup that is damaged: who runs the server is told, again until it is taken, by the next server as well.

use crate::backups::{database, dump, shown};
use crate::kills::story_with;
use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Asked, OtherSide, Reply, until};
use std::fs;

pub(crate) fn a_backup_that_is_worth_nothing_is_told() -> Result<()> {
    run(async {
        let operator = OtherSide::start(|_| Reply::With(500, String::new())).await?;
        let hook = format!("{}/hook", operator.url());
        story_with("notices", &[("KIGO_BACKUPS_ALERT", &hook)], async |server| {
            let app = App::create(server, "warned")?;
            database(&app, &["--name", "warned-db"])?;
            app.heroku(&["pg:backups:capture", "DATABASE"])?.ok()?;
            shown(&app, "b001", ", proven ").await?;
            ensure!(operator.asked().is_empty(), "{:?}", operator.lines());
            fs::write(dump(&app, 1).await?, "rubbish")?;
            let (status, body) =
                server.api("POST", "/client/v11/apps/warned/transfers/1/actions/prove", None).await?;
            ensure!(status == 202, "{status} {body}");
            shown(&app, "b001", "CANNOT BE RESTORED").await?;
            let first = comes(&operator, 1).await?;
            until("that it was not taken is told", async || {
                let info =
                    app.heroku(&["pg:backups:info", "b001"]).map_err(|error| format!("{error:#}"))?.all();
                if info.contains("the webhook answered 500") { Ok(()) } else { Err(info) }
            })
            .await?;
            operator.answers(|_| Reply::With(204, String::new()));
            server.kill_and_restart().await?;
            let second = comes(&operator, 2).await?;
            let (first, second) = (first.json(), second.json());
            ensure!(first["id"].is_string() && first == second, "{first} {second}");
            ensure!(first["event"] == "backup.refuted" && first["addon"] == "warned-db", "{first}");
            let text = first["text"].as_str().unwrap_or_default();
            ensure!(text.contains("warned: backup b001 of warned-db CANNOT BE RESTORED"), "{text}");
            ensure!(text.contains("damaged"), "{text}");
            until("that it was taken is told", async || {
                let info =
                    app.heroku(&["pg:backups:info", "b001"]).map_err(|error| format!("{error:#}"))?.all();
                if info.contains("Told who runs this server") { Ok(()) } else { Err(info) }
            })
            .await?;
            ensure!(operator.asked().len() == 2, "{:?}", operator.lines());
            app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
            Ok(())
        })
        .await
    })
}

/// What came, once so much has come.
async fn comes(operator: &OtherSide, count: usize) -> Result<Asked> {
    until("the operator to be told", async || {
        if operator.asked().len() >= count { Ok(()) } else { Err(operator.lines()) }
    })
    .await?;
    operator.asked().into_iter().nth(count - 1).context("nothing came")
}
