//! `kigo releases`.

use crate::time::since;
use super::{AppArgs, Context, Ending, Result};
use jiff::Timestamp;

/// List the releases of an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many
    #[arg(short, long, default_value_t = 15)]
    num: u32,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let releases = context.client()?.releases(&app, args.num).await?;
    if args.json {
        context.printer.json(&releases)?;
        return Ok(Ending::Done);
    }
    let Some(newest) = releases.first() else {
        context.printer.line(format!("{app} has no releases."))?;
        return Ok(Ending::Done);
    };
    let current = releases.iter().find(|release| release.current).unwrap_or(newest);
    context.printer.heading(format!("{app} Releases - Current: v{}", current.version))?;
    let now = Timestamp::now();
    let row = |release: &wire::release::Release| {
        vec![
            format!("v{}", release.version),
            described(release),
            release.user.email.clone(),
            since(release.created_at, now),
        ]
    };
    context.printer.table(&releases.iter().map(row).collect::<Vec<_>>())?;
    Ok(Ending::Done)
}

/// The description, with what became of the release where that is not plain success.
fn described(release: &wire::release::Release) -> String {
    let suffix = match release.status.as_str() {
        "failed" => " release command failed",
        "pending" => " release command executing",
        "expired" => " release expired",
        _ => "",
    };
    format!("{}{suffix}", release.description)
}
