//! `kigo auth:token`.

use anyhow::bail;
use super::{Context, Ending, Result};

/// Print the token in use
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
}

#[expect(clippy::unused_async, reason = "all commands are called alike")]
pub(crate) async fn run(context: &Context<'_>, _: Args) -> Result<Ending> {
    match context.settings.token()? {
        Some(token) => context.printer.line(token)?,
        None => bail!("Not logged in."),
    }
    Ok(Ending::Done)
}
