//! `kigo buildpacks:search`.

use super::{Context, Ending, Result};

/// List the buildpacks that go by a name
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Words to look for in names and descriptions; without them, all are listed
    term: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let mut found = context.client()?.registry().await?;
    if let Some(term) = args.term.map(|term| term.to_lowercase()) {
        found.retain(|one| {
            let text = format!("{}/{} {}", one.namespace, one.name, one.description);
            text.to_lowercase().contains(&term)
        });
    }
    if args.json {
        context.printer.json(&found)?;
    } else if found.is_empty() {
        context.printer.line("No buildpacks found")?;
    } else {
        let row = |one: &wire::registry::Buildpack| {
            vec![format!("{}/{}", one.namespace, one.name), one.description.clone()]
        };
        context.printer.table(&found.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(Ending::Done)
}
