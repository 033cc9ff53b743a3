//! Backups of services other than PostgreSQL, with Kigo's own commands: made, restored over what was changed, proven,
//! downloaded, scheduled.

use anyhow::{Context, Result, ensure};
use e2e::{App, Output, until};
use serde_json::Value;

/// For `vault.py` of the app.
pub(crate) const VAULT: &str = include_str!("vault.py");

/// What the service holds after this was done, in a word.
fn vault(app: &App<'_>, var: &str, what: &str) -> Result<String> {
    let said =
        app.heroku(&["run", "--no-tty", "--exit-code", &format!("python vault.py {var} {what}")])?.ok()?;
    let held = said.stdout.lines().find(|line| line.starts_with("it holds "));
    Ok(held.with_context(|| said.all())?.trim().to_owned())
}

fn kigo(app: &App<'_>, words: &[&str]) -> Result<Output> {
    app.server.kigo(&[words, &["--app", &app.name]].concat())
}

/// The whole story of one service.
pub(crate) async fn made_and_restored(app: &App<'_>, addon: &str, var: &str, magic: &[u8]) -> Result<()> {
    let before = vault(app, var, "fill")?;
    kigo(app, &["addons:backups:capture", var])?.ok()?;
    let list: Value = serde_json::from_str(&kigo(app, &["addons:backups", addon, "--json"])?.ok()?.stdout)?;
    let number = list[0]["num"].as_u64().with_context(|| list.to_string())?;
    let name = format!("b{number:03}");
    let after = vault(app, var, "change")?;
    ensure!(after != before, "nothing has changed");
    let wrong = kigo(app, &["addons:backups:restore", &name, addon, "--confirm", "other"])?;
    ensure!(wrong.code != 0 && vault(app, var, "all")? == after, "{}", wrong.all());
    kigo(app, &["addons:backups:restore", &name, addon, "--confirm", &app.name])?.ok()?;
    let now = vault(app, var, "all")?;
    ensure!(now == before, "{now}, not {before}");
    vault(app, var, "use")?;
    let line = until("a word about the backup", async || {
        let list = kigo(app, &["addons:backups", addon]).map_err(|error| format!("{error:#}"))?.stdout;
        let line = list.lines().find(|line| line.starts_with(&name)).map(str::to_owned);
        line.filter(|line| line.contains(", proven ") || line.contains("CANNOT")).ok_or(list)
    })
    .await?;
    let info = kigo(app, &["addons:backups:info", &name])?.ok()?;
    ensure!(line.contains(", proven "), "{line}: {}", info.all());
    let file = app.checkout.join(format!("{addon}.dump"));
    kigo(app, &["addons:backups:download", &name, "--output", &file.display().to_string()])?.ok()?;
    ensure!(std::fs::read(&file)?.starts_with(magic), "this is no dump");
    kigo(app, &["addons:backups:schedule", addon, "--at", "02:00 Europe/Berlin"])?.ok()?;
    let daily = format!("{addon}: daily at 2:00 Europe/Berlin");
    kigo(app, &["addons:backups:schedules", addon])?.ok()?.says(&daily)?;
    kigo(app, &["addons:backups:unschedule", addon])?.ok()?;
    kigo(app, &["addons:backups:schedules", addon])?.ok()?.says_not(&daily)?;
    Ok(())
}
