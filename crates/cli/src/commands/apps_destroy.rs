//! `kigo destroy`.

use crate::git;
use crate::terminal;
use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};

/// Destroy an app and everything that belongs to it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The app, if not named with --app
    name: Option<String>,
    /// Do not ask: the app's name once more
    #[arg(short, long, value_name = "APP")]
    confirm: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = match args.name {
        Some(name) => name,
        None => args.app.resolve(context)?,
    };
    let client = context.client()?;
    let app = client.app(&app).await?.name;
    let confirmed = if let Some(confirmed) = args.confirm {
        confirmed
    } else {
            context.printer.warn(&format!("This destroys ⬢ {app}, its dynos, releases and logs."));
            terminal::ask(&format!("To proceed, type {app}"))?
    };
    if confirmed != app {
        bail!("Confirmation {confirmed} did not match {app}. Aborted.");
    }
    let action = context.printer.action(format!("Destroying ⬢ {app}"));
    client.app_destroy(&app).await?;
    action.done();
    let directory = context.settings.directory.as_deref();
    for remote in git::remotes(directory, &context.settings.git_host) {
        if remote.app == app {
            git::git(directory, &["remote", "remove", &remote.name])?;
        }
    }
    Ok(Ending::Done)
}
