//! `kigo features:enable`.

use super::{AppArgs, Context, Ending, Result};

/// Enable a feature of an app
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
    let action = context.printer.action(format!("Enabling {} for ⬢ {app}", args.feature));
    client.feature_update(&app, &args.feature, true).await?;
    action.done();
    Ok(Ending::Done)
}
