//! `kigo logs:searches:add`.

use super::searches::{AlertArgs, show};
use super::{AppArgs, Context, Ending, Result};
use wire::papertrail::Set;

/// Keep a search of an app's log, and be told of what it finds
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to call it
    name: String,
    /// What to look for, as with logs:search
    #[arg(allow_hyphen_values = true)]
    query: String,
    #[command(flatten)]
    alert: AlertArgs,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Adding search {} to ⬢ {app}", args.name));
    let set =
        Set { name: Some(args.name), query: Some(args.query), alert: args.alert.set(), no_alert: false };
    let search = client.log_search_create(&app, &set).await?;
    action.done();
    show(context, &search, args.json)?;
    Ok(Ending::Done)
}
