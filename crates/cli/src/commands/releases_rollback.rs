//! `kigo rollback`.

use super::shared::print_output;
use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};

/// Make a new release of an older one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// v42, or an id; without one, the release before the current one
    release: Option<String>,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let target = if let Some(release) = &args.release {
        client.release(&app, release).await?
    } else {
            let releases = client.releases(&app, 100).await?;
            let Some(previous) = releases.into_iter().filter(|one| one.eligible_for_rollback).nth(1) else {
                bail!("No eligible release found for ⬢ {app} to roll back to.");
            };
            previous
    };
    let action = context.printer.action(format!("Rolling back ⬢ {app} to v{}", target.version));
    let release = client.rollback(&app, &target).await?;
    action.done_with(format!("v{}", release.version));
    context.printer.warn("Rollback affects code and config vars; it does not roll back the git repository.");
    if let Some(url) = &release.output_stream_url {
        print_output(context, &client, url).await?;
    }
    if args.json {
        context.printer.json(&release)?;
    }
    Ok(Ending::Done)
}
