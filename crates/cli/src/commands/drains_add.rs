//! `kigo drains:add`.

use super::{AppArgs, Context, Ending, Result};

/// Add a log drain to an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the log should go
    url: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let drain = context.client()?.drain_add(&app, &args.url).await?;
    context.printer.line(format!("Successfully added drain {}", drain.url))?;
    Ok(Ending::Done)
}
