//! `kigo apps:stacks:set`.

use super::{AppArgs, Context, Ending, Result};
use wire::app;

/// Choose the stack of an app's next build
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The stack
    stack: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let name = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Setting stack to {}", args.stack));
    let input = app::Update { build_stack: Some(args.stack.as_str().into()), ..app::Update::default() };
    let app = client.app_update(&name, &input).await?;
    action.done();
    context.printer.line(format!("The next build of ⬢ {} uses {}.", app.name, app.build_stack.name))?;
    Ok(Ending::Done)
}
