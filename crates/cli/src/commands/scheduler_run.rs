//! `kigo scheduler:run`.

use super::jobs::find;
use super::{AppArgs, Context, Ending, Result};

/// Run a job of an app's scheduler now; its output goes to the app's log
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: its id, the beginning of it, or its command
    job: String,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let job = find(&client, &app, &args.job).await?;
    let action = context.printer.action(format!("Running {} on ⬢ {app}", job.command));
    let run = client.job_run(&app, &job.id.to_string()).await?;
    let dyno = run.dyno.clone().unwrap_or_default();
    action.done_with(&dyno);
    if args.json {
        context.printer.json(&run)?;
    } else {
        context.printer.line(format!("Run kigo logs --app {app} --dyno-name {dyno} to view the output."))?;
    }
    Ok(Ending::Done)
}
