//! `kigo ps`.

use crate::time::since;
use super::{AppArgs, Context, Ending, Result};
use jiff::Timestamp;
use std::collections::BTreeMap;
use wire::dyno::Dyno;

/// List the dynos of an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these process types
    types: Vec<String>,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let mut dynos = context.client()?.dynos(&app).await?;
    dynos.retain(|dyno| args.types.is_empty() || args.types.contains(&dyno.process_type));
    dynos.sort_by_key(|dyno| (dyno.process_type.clone(), number(&dyno.name)));
    if args.json {
        context.printer.json(&dynos)?;
    } else if dynos.is_empty() {
        context.printer.line(format!("No dynos on ⬢ {app}"))?;
    } else {
        for text in listing(&dynos, Timestamp::now()) {
            context.printer.line(text)?;
        }
    }
    Ok(Ending::Done)
}

/// The number in `web.1`.
fn number(name: &str) -> u32 {
    name.rsplit_once('.').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// The lines as the official CLI groups them: one-offs together, then by process type and command.
fn listing(dynos: &[Dyno], now: Timestamp) -> Vec<String> {
    let mut groups: BTreeMap<(bool, String), Vec<&Dyno>> = BTreeMap::new();
    for dyno in dynos {
        let key = if dyno.process_type == "run" {
            (false, "run: one-off processes".to_owned())
        } else {
            (true, format!("{} ({}): {}", dyno.process_type, dyno.size, dyno.command))
        };
        groups.entry(key).or_default().push(dyno);
    }
    let mut lines = Vec::new();
    for ((regular, title), dynos) in groups {
        lines.push(format!("=== {title} ({})\n", dynos.len()));
        for dyno in dynos {
            let since = since(dyno.updated_at, now);
            lines.push(if regular {
                format!("{}: {} {since}", dyno.name, dyno.state)
            } else {
                format!("{} ({}): {} {since}: {}", dyno.name, dyno.size, dyno.state, dyno.command)
            });
        }
        lines.push(String::new());
    }
    lines
}
