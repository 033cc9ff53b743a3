//! `kigo addons:backups:info`.

use super::backups::{name, number, size, status};
use super::{AppArgs, Context, Ending, Result};

/// Show how a backup or restore went, and what was found in it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name, like b001
    #[arg(value_name = "BACKUP")]
    backup: String,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let (app, number) = number(&args.app.resolve(context)?, &args.backup)?;
    let one = context.client()?.transfer(&app, number).await?;
    if args.json {
        context.printer.json(&one)?;
        return Ok(Ending::Done);
    }
    context.printer.heading(name(&one))?;
    let mut pairs = vec![
        ("From", one.from_name.clone()),
        ("To", one.to_name.clone()),
        ("Created", one.created_at.clone()),
        ("Status", status(&one)),
        ("Size", size(one.processed_bytes)),
    ];
    pairs.extend(one.schedule.as_ref().map(|schedule| ("Schedule", schedule.name.clone())));
    pairs.extend(one.proof.text.as_ref().filter(|_| one.proof.state == "refuted").map(|why| ("Why", why.clone())));
    context.printer.pairs(&pairs)?;
    context.printer.heading("Log")?;
    for line in one.logs.as_deref().unwrap_or_default() {
        context.printer.line(format!("{} {}", line.created_at, line.message))?;
    }
    Ok(Ending::Done)
}
