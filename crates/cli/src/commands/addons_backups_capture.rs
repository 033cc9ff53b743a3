//! `kigo addons:backups:capture`.

use super::backups::{addon, follow, name};
use super::{AppArgs, Context, Ending, Result};

/// Make a backup of an add-on, of any service that knows how
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The add-on: its name, an attachment like MARIADB, or a config var like MARIADB_URL
    #[arg(value_name = "ADDON")]
    addon: String,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let addon = addon(&client, &app, &args.addon).await?;
    let begun = client.backup(&addon.id.to_string()).await?;
    let ended = follow(context, &client, &addon.app.name, &begun).await?;
    if args.json {
        context.printer.json(&ended)?;
    } else {
        let (name, app) = (name(&ended), &addon.app.name);
        context.printer.line(format!("Whether it can be restored is told by kigo addons:backups:info {name} -a {app}"))?;
    }
    Ok(Ending::Done)
}
