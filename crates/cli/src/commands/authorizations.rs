//! `kigo authorizations`.

use super::{Context, Ending, Result};

/// List the authorizations of your account
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let mut authorizations = context.client()?.authorizations().await?;
    if args.json {
        context.printer.json(&authorizations)?;
    } else if authorizations.is_empty() {
        context.printer.line("No OAuth authorizations.")?;
    } else {
        authorizations.sort_by(|a, b| a.description.cmp(&b.description));
        let row = |one: &wire::authorization::Authorization| {
            vec![one.description.clone(), one.id.to_string(), one.scope.join(", ")]
        };
        context.printer.table(&authorizations.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(Ending::Done)
}
