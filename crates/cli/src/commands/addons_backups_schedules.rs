//! `kigo addons:backups:schedules`.

use super::backups::addon;
use super::{AppArgs, Context, Ending, Result};

/// List the daily backups of the app that an add-on belongs to
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Any of its add-ons
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
    let list = client.schedules(&addon.id.to_string()).await?;
    if args.json {
        context.printer.json(&list)?;
        return Ok(Ending::Done);
    }
    if list.is_empty() {
        context.printer.line(format!("{} has no daily backups.", addon.app.name))?;
    }
    for one in list {
        context.printer.line(format!("{}: daily at {}:00 {}", one.name, one.hour, one.timezone))?;
    }
    Ok(Ending::Done)
}
