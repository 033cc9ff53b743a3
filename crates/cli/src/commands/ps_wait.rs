//! `kigo ps:wait`.

use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};
use std::time::Duration;

/// Wait until all dynos run the newest release
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds between two looks
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    wait_interval: u64,
    /// Only this process type
    #[arg(short, long = "type")]
    process_type: Option<String>,
    /// One-off dynos too
    #[arg(short = 'R', long)]
    with_run: bool,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let newest = client.releases(&app, 1).await?;
    let Some(release) = newest.first() else {
        bail!("⬢ {app} has no releases.");
    };
    let version = release.version;
    let action = context.printer.action(format!("Waiting for every dyno of ⬢ {app} to run v{version}"));
    loop {
        let dynos = client.dynos(&app).await?;
        let relevant = dynos
            .iter()
            .filter(|dyno| args.with_run || dyno.process_type != "run")
            .filter(|dyno| dyno.process_type != "release")
            .filter(|dyno| args.process_type.as_ref().is_none_or(|wanted| *wanted == dyno.process_type));
        let waiting = relevant.filter(|dyno| dyno.state != "up" || dyno.release.version < version).count();
        if waiting == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(args.wait_interval)).await;
    }
    action.done();
    Ok(Ending::Done)
}
