//! `kigo drains`.

use super::{AppArgs, Context, Ending, Result};

/// List the log drains of an app
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
    let drains = context.client()?.drains(&app).await?;
    if args.json {
        context.printer.json(&drains)?;
    } else {
        let row = |drain: &wire::log_drain::LogDrain| vec![drain.url.clone(), format!("({})", drain.token)];
        context.printer.table(&drains.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(Ending::Done)
}
