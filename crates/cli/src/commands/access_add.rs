//! `kigo access:add`.

use super::{AppArgs, Context, Ending, Result};

/// Give a person access to an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Who to let in
    email: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Adding {} access to the app {app}", args.email));
    client.collaborator_add(&app, &args.email).await?;
    action.done();
    Ok(Ending::Done)
}
