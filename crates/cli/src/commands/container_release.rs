//! `kigo container:release`.

use super::shared::{print_output, require_container_stack};
use super::{AppArgs, Context, Ending, Result};
use anyhow::bail;

/// Run the images that were pushed last
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Process types that run theirs
    #[arg(value_name = "TYPE", required = true)]
    process_types: Vec<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    require_container_stack(&client, &app).await?;
    let mut images = Vec::new();
    for process_type in args.process_types {
        let Some(digest) = client.image(&app, &process_type).await? else {
            bail!("Nothing was pushed for {process_type} yet. Run kigo container:push {process_type} --app {app}");
        };
        images.push((process_type, Some(digest)));
    }
    let types: Vec<&str> = images.iter().map(|(name, _)| name.as_str()).collect();
    let action = context.printer.action(format!("Releasing images {} to ⬢ {app}", types.join(",")));
    client.images_release(&app, images).await?;
    let Some(release) = client.releases(&app, 1).await?.into_iter().next() else {
        bail!("⬢ {app} has no release; it may have been destroyed.");
    };
    action.done_with(format!("v{}", release.version));
    if let Some(url) = &release.output_stream_url {
        context.printer.note("Running release command...");
        print_output(context, &client, url).await?;
        let ended = client.release(&app, &release.id.to_string()).await?;
        if ended.status == "failed" {
            bail!("The release command failed; ⬢ {app} goes on running what it ran before.");
        }
    }
    Ok(Ending::Done)
}
