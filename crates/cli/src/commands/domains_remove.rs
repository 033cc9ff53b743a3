//! `kigo domains:remove`.

use super::{AppArgs, Context, Ending, Result};

/// Remove a domain from an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The host name
    hostname: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Removing {} from ⬢ {app}", args.hostname));
    client.domain_remove(&app, &args.hostname).await?;
    action.done();
    Ok(Ending::Done)
}
