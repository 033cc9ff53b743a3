//! `kigo maintenance:on`.

use super::{AppArgs, Context, Ending, Result};
use wire::app;

/// Turn maintenance mode on
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Enabling maintenance mode for ⬢ {app}"));
    let input = app::Update { maintenance: Some(true), ..app::Update::default() };
    client.app_update(&app, &input).await?;
    action.done();
    Ok(Ending::Done)
}
