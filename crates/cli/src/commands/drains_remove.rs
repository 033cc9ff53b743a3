//! `kigo drains:remove`.

use super::{AppArgs, Context, Ending, Result};

/// Remove a log drain from an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its address, token or id
    drain: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    context.client()?.drain_remove(&app, &args.drain).await?;
    context.printer.line(format!("Successfully removed drain {}", args.drain))?;
    Ok(Ending::Done)
}
