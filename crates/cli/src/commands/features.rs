//! `kigo features`.

use super::{AppArgs, Context, Ending, Result};

/// List the features of an app
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
    let features = context.client()?.features(&app).await?;
    if args.json {
        context.printer.json(&features)?;
        return Ok(Ending::Done);
    }
    context.printer.heading(format!("App Features ⬢ {app}"))?;
    let row = |one: &wire::feature::Feature| {
        let mark = if one.enabled { "[+]" } else { "[ ]" };
        vec![format!("{mark} {}", one.name), one.description.clone()]
    };
    context.printer.table(&features.iter().map(row).collect::<Vec<_>>())?;
    Ok(Ending::Done)
}
