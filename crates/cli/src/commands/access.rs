//! `kigo access`.

use super::{AppArgs, Context, Ending, Result};

/// List who has access to an app
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let collaborators = context.client()?.collaborators(&app).await?;
    if args.json {
        context.printer.json(&collaborators)?;
    } else {
        let row = |one: &wire::collaborator::Collaborator| {
            vec![one.user.email.clone(), one.role.clone().unwrap_or_default()]
        };
        context.printer.table(&collaborators.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(Ending::Done)
}
