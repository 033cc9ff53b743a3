//! `kigo container:rm`.

use super::{AppArgs, Context, Ending, Result};

/// Take process types away from a container app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Process types that run no image any more
    #[arg(value_name = "TYPE", required = true)]
    process_types: Vec<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let shown = args.process_types.join(", ");
    let action = context.printer.action(format!("Removing container {shown} for ⬢ {app}"));
    client.images_release(&app, args.process_types.into_iter().map(|name| (name, None)).collect()).await?;
    action.done();
    Ok(Ending::Done)
}
