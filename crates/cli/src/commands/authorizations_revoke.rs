//! `kigo authorizations:revoke`.

use super::{Context, Ending, Result};

/// Take an authorization back
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its id
    id: String,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let client = context.client()?;
    let action = context.printer.action("Revoking OAuth Authorization");
    let gone = client.authorization_revoke(&args.id).await?;
    action.done_with(format!("revoked authorization from {}", gone.description));
    Ok(Ending::Done)
}
