//! `kigo features:disable`.

use super::{AppArgs, Context, Ending, Result};

/// Disable a feature of an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name
    feature: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Disabling {} for ⬢ {app}", args.feature));
    client.feature_update(&app, &args.feature, false).await?;
    action.done();
    Ok(Ending::Done)
}
