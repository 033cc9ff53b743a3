//! `kigo rename`.

use super::shared::set_remote_url;
use crate::git;
use super::{AppArgs, Context, Ending, Result};
use wire::app;

/// Rename an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The new name
    name: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let old = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Renaming ⬢ {old} to ⬢ {}", args.name));
    let input = app::Update { name: Some(args.name), ..app::Update::default() };
    let app = client.app_update(&old, &input).await?;
    action.done();
    context.printer.line(format!("{} | {}", app.web_url.as_deref().unwrap_or("-"), app.git_url))?;
    for remote in git::remotes(context.settings.directory.as_deref(), &context.settings.git_host) {
        if remote.app == old {
            set_remote_url(context, &remote.name, &app)?;
            context.printer.line(format!("Git remote {} updated", remote.name))?;
        }
    }
    Ok(Ending::Done)
}
