//! `kigo releases:output`.

use super::shared::{print_output, release_or_current};
use anyhow::bail;
use super::{AppArgs, Context, Ending, Result};

/// Show the output of a release command
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// v42, or an id; without one, the current release
    release: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let release = release_or_current(&client, &app, args.release.as_deref()).await?;
    let Some(url) = &release.output_stream_url else {
        bail!("Release v{} has no release output.", release.version);
    };
    if !print_output(context, &client, url).await? {
        context.printer.warn("Release command not started yet.");
    }
    Ok(Ending::Done)
}
