//! `kigo scheduler:remove`.

use super::jobs::{find, short};
use super::{AppArgs, Context, Ending, Result};

/// Remove a job from an app's scheduler
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: its id, the beginning of it, or its command
    job: String,
    #[command(flatten)]
    app: AppArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let job = find(&client, &app, &args.job).await?;
    let action = context.printer.action(format!("Removing job {} from ⬢ {app}", short(&job)));
    client.job_remove(&app, &job.id.to_string()).await?;
    action.done();
    Ok(Ending::Done)
}
