//! `kigo buildpacks:versions`.

use super::{Context, Ending, Result};

/// List the versions of a buildpack
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For example heroku/nodejs
    buildpack: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let revisions = context.client()?.registry_revisions(&args.buildpack).await?;
    if args.json {
        context.printer.json(&revisions)?;
        return Ok(Ending::Done);
    }
    let row = |one: &wire::registry::Revision| {
        vec![one.release.clone(), one.created_at.to_string(), one.status.clone()]
    };
    context.printer.table(&revisions.iter().map(row).collect::<Vec<_>>())?;
    Ok(Ending::Done)
}
