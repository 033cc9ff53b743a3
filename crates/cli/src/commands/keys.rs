//! `kigo keys`.

use super::{Context, Ending, Result};

/// List the SSH keys of your account
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the keys whole
    #[arg(short, long)]
    long: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let client = context.client()?;
    let keys = client.keys().await?;
    if args.json {
        context.printer.json(&keys)?;
        return Ok(Ending::Done);
    }
    let Some(first) = keys.first() else {
        context.printer.line("You have no SSH keys.")?;
        return Ok(Ending::Done);
    };
    context.printer.heading(format!("{} keys", first.email))?;
    for key in &keys {
        if args.long {
            context.printer.line(&key.public_key)?;
        } else {
            context.printer.line(format!("{} {}", key.fingerprint, key.comment))?;
        }
    }
    Ok(Ending::Done)
}
