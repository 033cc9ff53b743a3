//! `kigo ps:scale`.

use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};
use wire::NumberOrText;
use wire::formation::{Formation, Update};

/// Say how many dynos of each process type run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to run: web=2, worker+1, web=2:standard-2x; without any, show what runs
    changes: Vec<String>,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let updates: Vec<Update> = args.changes.iter().map(|change| parse(change)).collect::<Result<_>>()?;
    let client = context.client()?;
    if updates.is_empty() {
        let formation = client.formation(&app).await?;
        if args.json {
            context.printer.json(&formation)?;
        } else if formation.is_empty() {
            bail!("No process types on ⬢ {app}. Deploy something with a Procfile first.");
        } else {
            let all: Vec<String> =
                formation.iter().map(|one| format!("{}={}:{}", one.process_type, one.quantity, one.size)).collect();
            context.printer.line(all.join(" "))?;
        }
        return Ok(Ending::Done);
    }
    let action = context.printer.action("Scaling dynos");
    let formation = client.formation_update(&app, updates.clone()).await?;
    let changed =
        |one: &&Formation| updates.iter().any(|update| update.process_type.as_ref() == Some(&one.process_type));
    let changed: Vec<&Formation> = formation.iter().filter(changed).collect();
    let words: Vec<String> =
        changed.iter().map(|one| format!("{} at {}:{}", one.process_type, one.quantity, one.size)).collect();
    action.done_with(format!("now running {}", words.join(", ")));
    if args.json {
        context.printer.json(&changed)?;
    }
    Ok(Ending::Done)
}

/// `web=2`, `web+1`, `web-1`, each with `:SIZE` or not.
fn parse(change: &str) -> Result<Update> {
    let place = change.find(['=', '+']).or_else(|| change.rfind('-'));
    let Some(place) = place.filter(|place| *place > 0) else {
        bail!("{change} is not of the form web=2, web+1 or web=2:standard-1x.");
    };
    let (process_type, rest) = change.split_at(place);
    let (quantity, size) = match rest.split_once(':') {
        Some((quantity, size)) => (quantity, Some(size.to_owned())),
        None => (rest, None),
    };
    let quantity = quantity.strip_prefix('=').unwrap_or(quantity);
    let digits = quantity.trim_start_matches(['+', '-']);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        bail!("{change}: {quantity} is not a quantity.");
    }
    Ok(Update {
        process_type: Some(process_type.to_owned()),
        quantity: Some(NumberOrText::Text(quantity.to_owned())),
        size,
        ..Update::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_as_the_official_cli_writes_them() {
        for (text, process_type, quantity, size) in [
            ("web=2", "web", "2", None),
            ("web+1", "web", "+1", None),
            ("web-1", "web", "-1", None),
            ("my-worker-2", "my-worker", "-2", None),
            ("my-worker=2", "my-worker", "2", None),
            ("web=-1", "web", "-1", None),
            ("web=2:standard-2x", "web", "2", Some("standard-2x")),
        ] {
            let update = parse(text).unwrap();
            assert_eq!(update.process_type.as_deref(), Some(process_type), "{text}");
            assert_eq!(update.quantity.unwrap().to_string(), quantity, "{text}");
            assert_eq!(update.size.as_deref(), size, "{text}");
        }
        for bad in ["web", "=2", "web=", "web=x", "web=1.5", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
