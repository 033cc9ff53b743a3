//! `kigo maintenance`.

use super::{AppArgs, Context, Ending, Result};

/// Say whether maintenance mode is on
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let app = context.client()?.app(&app).await?;
    if args.json {
        context.printer.json(&app.maintenance)?;
    } else {
        context.printer.line(if app.maintenance { "on" } else { "off" })?;
    }
    Ok(Ending::Done)
}
