//! `kigo buildpacks:info`.

use super::{Context, Ending, Result};

/// Show what a buildpack is for, and its documentation
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For example heroku/nodejs
    buildpack: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let client = context.client()?;
    let one = client.registry_info(&args.buildpack).await?;
    if args.json {
        context.printer.json(&one)?;
        return Ok(Ending::Done);
    }
    let readme = client.registry_readme(&args.buildpack).await?;
    context.printer.heading(format!("{}/{}", one.namespace, one.name))?;
    context.printer.pairs(&[("Description", &one.description), ("Category", &one.category)])?;
    context.printer.line(format!("\n{}", readme.content.trim_end()))?;
    Ok(Ending::Done)
}
