//! `kigo logs:searches:remove`.

use super::{AppArgs, Context, Ending, Result};

/// Forget a search of an app's log
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The search, by its name or id
    search: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Removing search {} from ⬢ {app}", args.search));
    client.log_search_remove(&app, &args.search).await?;
    action.done();
    Ok(Ending::Done)
}
