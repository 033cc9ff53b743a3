//! `kigo buildpacks:clear`.

use super::{AppArgs, Context, Ending, Result};

/// Remove all buildpacks of an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    context.client()?.buildpacks_update(&app, Vec::new()).await?;
    context.printer.line("Buildpacks cleared. The next build looks for a fitting one.")?;
    Ok(Ending::Done)
}
