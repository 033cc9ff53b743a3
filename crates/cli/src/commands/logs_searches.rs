//! `kigo logs:searches`.

use super::searches::told;
use super::{AppArgs, Context, Ending, Result};

/// List the searches of an app's log that are kept
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let searches = context.client()?.log_searches(&app).await?;
    if args.json {
        context.printer.json(&searches)?;
        return Ok(Ending::Done);
    }
    if searches.is_empty() {
        context.printer.line(format!("{app} has no searches. Add one with kigo logs:searches:add."))?;
    }
    for search in &searches {
        context.printer.line(format!("{}: {}{}", search.name, search.query, told(search)))?;
    }
    Ok(Ending::Done)
}
