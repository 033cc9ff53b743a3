//! `kigo regions`.

use super::{Context, Ending, Result};

/// List the regions in which apps can run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let regions = context.client()?.regions().await?;
    if args.json {
        context.printer.json(&regions)?;
    } else {
        let row = |one: &wire::place::Region| vec![one.name.clone(), one.description.clone()];
        context.printer.table(&regions.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(Ending::Done)
}
