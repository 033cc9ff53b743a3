//! `kigo scheduler:add`.

use super::jobs::{SetArgs, short, when};
use super::{AppArgs, Context, Ending, Result};

/// Add a job to an app's scheduler
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to run, as one word: "rake cleanup"
    command: String,
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let action = context.printer.action(format!("Adding job to ⬢ {app}"));
    let job = client.job_create(&app, &args.set.set(Some(args.command))).await?;
    action.done_with(short(&job));
    if args.json {
        context.printer.json(&job)?;
    } else {
        let next = job.next_run.map_or_else(String::new, |time| format!(", next at {time}"));
        context.printer.line(format!("{} runs {}{next}", job.command, when(&job)))?;
    }
    Ok(Ending::Done)
}
