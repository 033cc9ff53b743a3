//! `kigo git:remote`.

use super::shared::add_remote;
use super::{AppArgs, Context, Ending, Result};

/// Make a git remote that leads to an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the remote
    #[arg(short, long, default_value = "heroku")]
    name: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let app = context.client()?.app(&app).await?;
    add_remote(context, &args.name, &app)?;
    Ok(Ending::Done)
}
