//! `kigo apps:stacks`.

use super::{AppArgs, Context, Ending, Result};

/// List the stacks that an app can have
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let name = args.app.resolve(context)?;
    let client = context.client()?;
    let (app, stacks) = tokio::try_join!(client.app(&name), client.stacks())?;
    if args.json {
        context.printer.json(&stacks)?;
        return Ok(Ending::Done);
    }
    context.printer.heading(format!("⬢ {} Available Stacks", app.name))?;
    for stack in stacks {
        let mark = if stack.name == app.build_stack.name { "*" } else { " " };
        context.printer.line(format!("{mark} {}", stack.name))?;
    }
    Ok(Ending::Done)
}
