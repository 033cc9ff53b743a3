//! `kigo ps:type`.

use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};
use wire::formation::{Formation, Update};

/// Show or change the sizes of dynos
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// web=standard-2x, or one size for all; without any, show the sizes
    changes: Vec<String>,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let mut formation = client.formation(&app).await?;
    if !args.changes.is_empty() {
        let updates = parse(&args.changes, &formation)?;
        let action = context.printer.action(format!("Scaling dynos on ⬢ {app}"));
        client.formation_update(&app, updates).await?;
        action.done();
        formation = client.formation(&app).await?;
    }
    if args.json {
        context.printer.json(&formation)?;
        return Ok(Ending::Done);
    }
    let head = ["Type", "Size", "Qty"].map(str::to_owned).to_vec();
    let row = |one: &Formation| vec![one.process_type.clone(), one.size.clone(), one.quantity.to_string()];
    let rows: Vec<_> = std::iter::once(head).chain(formation.iter().map(row)).collect();
    context.printer.table(&rows)?;
    Ok(Ending::Done)
}

fn parse(changes: &[String], formation: &[Formation]) -> Result<Vec<Update>> {
    let update = |process_type: &str, size: &str| Update {
        process_type: Some(process_type.to_owned()),
        size: Some(size.to_owned()),
        ..Update::default()
    };
    if let [size] = changes
        && !size.contains('=')
    {
        return Ok(formation.iter().map(|one| update(&one.process_type, size)).collect());
    }
    let parse_one = |change: &String| match change.split_once('=') {
        Some((process_type, size)) if !process_type.is_empty() && !size.is_empty() => {
            Ok(update(process_type, size))
        }
        _ => bail!("{change} is not of the form web=standard-1x."),
    };
    changes.iter().map(parse_one).collect()
}
