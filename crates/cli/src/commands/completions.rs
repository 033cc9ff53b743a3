//! `kigo completions`.

use super::{Context, Ending, Result};
use clap_complete::Shell;

/// Print a script that completes commands in a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// bash, zsh, fish, elvish or powershell
    shell: Shell,
}

#[expect(clippy::unused_async, reason = "all commands are called alike")]
pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::grammar(), "kigo", &mut script);
    context.printer.raw(&script)?;
    Ok(Ending::Done)
}
