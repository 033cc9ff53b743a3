//! `kigo whoami`.

use super::{Context, Ending, Result};

/// Say who is logged in
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let account = context.client()?.account().await?;
    if args.json {
        context.printer.json(&account)?;
    } else {
        context.printer.line(&account.email)?;
    }
    Ok(Ending::Done)
}
