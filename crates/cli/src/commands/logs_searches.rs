//! `kigo logs:searches`.

use super::searches::told;
use super::shared::ListArgs;
use super::{Context, Ending, Result};

/// List the searches of an app's log that are kept
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    list: ListArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let nothing = "no searches. Add one with kigo logs:searches:add.";
    let found = args.list.list(context, async |client, app| Ok(client.log_searches(app).await?), nothing).await?;
    for search in found.iter().flat_map(|(_, searches)| searches) {
        context.printer.line(format!("{}: {}{}", search.name, search.query, told(search)))?;
    }
    Ok(Ending::Done)
}
