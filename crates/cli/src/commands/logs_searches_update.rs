//! `kigo logs:searches:update`.

use super::searches::{AlertArgs, show};
use super::{AppArgs, Context, Ending, Result};
use wire::papertrail::Set;

/// Change a search of an app's log
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The search, by its name or id
    search: String,
    /// How to call it from now on
    #[arg(long)]
    name: Option<String>,
    /// What to look for instead
    #[arg(short, long, allow_hyphen_values = true)]
    query: Option<String>,
    #[command(flatten)]
    alert: AlertArgs,
    /// Send no alerts any more
    #[arg(long, conflicts_with = "every")]
    no_alert: bool,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Updating search {} of ⬢ {app}", args.search));
    let set = Set { name: args.name, query: args.query, alert: args.alert.set(), no_alert: args.no_alert };
    let search = client.log_search_update(&app, &args.search, &set).await?;
    action.done();
    show(context, &search, args.json)?;
    Ok(Ending::Done)
}
