//! `kigo addons:backups:restore`.

use super::backups::{addon, follow, number};
use super::{AppArgs, Context, Ending, Result};
use crate::terminal;
use anyhow::{Context as _, bail};
use wire::data::transfer::Restore;

/// Put a backup into an add-on, in the place of what is there
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name, like b001 or other-app::b001, or where a dump can be downloaded
    #[arg(value_name = "BACKUP")]
    backup: String,
    /// The add-on: its name, an attachment like MARIADB, or a config var like MARIADB_URL
    #[arg(value_name = "ADDON")]
    addon: String,
    /// Do not ask: the app's name once more
    #[arg(short, long, value_name = "APP")]
    confirm: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let addon = addon(&client, &app, &args.addon).await?;
    let backup_url = if args.backup.contains("://") {
        args.backup
    } else {
        let (app, number) = number(&app, &args.backup)?;
        let backup = client.transfer(&app, number).await?;
        backup.to_url.with_context(|| format!("{} is no backup that was completed.", args.backup))?
    };
    let confirmed = if let Some(confirmed) = args.confirm {
        confirmed
    } else {
        context.printer.warn(&format!("This replaces all data of {}.", addon.name));
        terminal::ask(&format!("To proceed, type {app}"))?
    };
    if confirmed != app {
        bail!("Confirmation {confirmed} did not match {app}. Aborted.");
    }
    let begun = client.restore(&addon.id.to_string(), &Restore { backup_url, extensions: None }).await?;
    follow(context, &client, &addon.app.name, &begun).await?;
    Ok(Ending::Done)
}
