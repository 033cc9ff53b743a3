//! `kigo stacks`.

use super::{Context, Ending, Result};

/// List the stacks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let stacks = context.client()?.stacks().await?;
    if args.json {
        context.printer.json(&stacks)?;
    } else {
        for stack in stacks {
            context.printer.line(stack.name)?;
        }
    }
    Ok(Ending::Done)
}
