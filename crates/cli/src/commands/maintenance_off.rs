//! `kigo maintenance:off`.

use super::{AppArgs, Context, Ending, Result};
use wire::app;

/// Turn maintenance mode off
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Disabling maintenance mode for ⬢ {app}"));
    let input = app::Update { maintenance: Some(false), ..app::Update::default() };
    client.app_update(&app, &input).await?;
    action.done();
    Ok(Ending::Done)
}
