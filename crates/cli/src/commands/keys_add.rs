//! `kigo keys:add`.

use anyhow::Context as _;
use super::{Context, Ending, Result};
use std::path::PathBuf;

/// Add an SSH public key to your account
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The public key's file
    path: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let path = match args.path {
        Some(path) => path,
        None => own_key()?,
    };
    let key = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let client = context.client()?;
    let action = context.printer.action(format!("Uploading {} SSH key", path.display()));
    client.key_add(key.trim()).await?;
    action.done();
    Ok(Ending::Done)
}

/// The public key that ssh would use.
fn own_key() -> Result<PathBuf> {
    let home = std::env::var("HOME").context("HOME is not set: name the key's file")?;
    ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"]
        .into_iter()
        .map(|name| PathBuf::from(&home).join(".ssh").join(name))
        .find(|path| path.exists())
        .context("there is no public key in ~/.ssh: name its file, or make one with ssh-keygen")
}
