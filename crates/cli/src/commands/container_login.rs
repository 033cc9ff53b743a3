//! `kigo container:login`.

use super::{Context, Ending, Result};
use crate::container_tool::Tool;
use anyhow::bail;

/// Let docker, podman or buildah push to this server's registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[expect(clippy::unused_async, reason = "all commands are called alike")]
pub(crate) async fn run(context: &Context<'_>, _: Args) -> Result<Ending> {
    let Some(token) = context.settings.token()? else {
        bail!("Not logged in at {}. Run kigo login, or set KIGO_API_KEY.", context.settings.api_url);
    };
    Tool::find(&context.settings)?.log_in(&token)?;
    Ok(Ending::Done)
}
