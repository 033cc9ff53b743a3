//! `kigo access:remove`.

use super::{AppArgs, Context, Ending, Result};

/// Take a person's access to an app away
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Who to shut out
    email: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Removing {} access from the app {app}", args.email));
    client.collaborator_remove(&app, &args.email).await?;
    action.done();
    Ok(Ending::Done)
}
