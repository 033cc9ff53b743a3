//! `kigo buildpacks`.

use super::shared::show_buildpacks;
use super::{AppArgs, Context, Ending, Result};

/// List the buildpacks of an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let buildpacks = context.client()?.buildpacks(&app).await?;
    if args.json {
        context.printer.json(&buildpacks)?;
    } else if buildpacks.is_empty() {
        context.printer.line(format!("{app} has no Buildpacks; the next build looks for a fitting one."))?;
    } else {
        context.printer.heading(format!("⬢ {app} Buildpacks"))?;
        show_buildpacks(context.printer, &buildpacks)?;
    }
    Ok(Ending::Done)
}
