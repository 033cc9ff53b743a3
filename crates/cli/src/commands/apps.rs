//! `kigo apps`.

use super::{Context, Ending, Result};

/// List apps
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// All apps, not only your own
    #[arg(short = 'A', long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let client = context.client()?;
    let mut apps = if args.all { client.apps().await? } else { client.apps_of_user().await? };
    apps.sort_by(|a, b| a.name.cmp(&b.name));
    if args.json {
        context.printer.json(&apps)?;
        return Ok(Ending::Done);
    }
    let email = client.account().await?.email;
    if apps.is_empty() {
        context.printer.line("You have no apps.")?;
        return Ok(Ending::Done);
    }
    let (own, others): (Vec<_>, Vec<_>) = apps.iter().partition(|app| app.owner.email == email);
    if !own.is_empty() {
        context.printer.heading(format!("{email} Apps"))?;
        for app in own {
            context.printer.line(&app.name)?;
        }
    }
    if !others.is_empty() {
        context.printer.heading("Collaborated Apps")?;
        let row = |app: &&wire::app::App| vec![app.name.clone(), app.owner.email.clone()];
        context.printer.table(&others.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(Ending::Done)
}
