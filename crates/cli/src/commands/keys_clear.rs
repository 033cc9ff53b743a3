//! `kigo keys:clear`.

use super::{Context, Ending, Result};

/// Remove all SSH keys from your account
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
}

pub(crate) async fn run(context: &Context<'_>, _: Args) -> Result<Ending> {
    let client = context.client()?;
    let action = context.printer.action("Removing all SSH keys");
    for key in client.keys().await? {
        client.key_remove(&key.id.to_string()).await?;
    }
    action.done();
    Ok(Ending::Done)
}
