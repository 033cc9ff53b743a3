//! `kigo addons:partners`.

use super::{Context, Ending, Result};

/// List the services that partners run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let partners = context.client()?.partners().await?;
    if args.json {
        context.printer.json(&partners)?;
    } else if partners.is_empty() {
        context.printer.line("No partner has registered a service.")?;
    } else {
        let row = |one: &wire::partner::Partner| {
            vec![one.name.clone(), one.human_name.clone(), one.base_url.clone(), one.plans.join(" ")]
        };
        context.printer.table(&partners.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(Ending::Done)
}
