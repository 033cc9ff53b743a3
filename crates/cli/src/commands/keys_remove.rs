//! `kigo keys:remove`.

use anyhow::bail;
use super::{Context, Ending, Result};

/// Remove an SSH key from your account
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key's comment, or its fingerprint
    key: String,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let client = context.client()?;
    let keys = client.keys().await?;
    let matches = |key: &&wire::key::Key| key.comment == args.key || key.fingerprint == args.key;
    let Some(key) = keys.iter().find(matches) else {
        bail!("SSH Key {} not found.", args.key);
    };
    let action = context.printer.action(format!("Removing {} SSH key", args.key));
    client.key_remove(&key.id.to_string()).await?;
    action.done();
    Ok(Ending::Done)
}
