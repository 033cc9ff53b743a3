//! `kigo scheduler:update`.

use super::jobs::{SetArgs, find, short, when};
use super::{AppArgs, Context, Ending, Result};

/// Change a job of an app's scheduler
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: its id, the beginning of it, or its command
    job: String,
    /// What to run instead, as one word
    #[arg(short, long)]
    command: Option<String>,
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
    let job = find(&client, &app, &args.job).await?;
    let action = context.printer.action(format!("Updating job {} of ⬢ {app}", short(&job)));
    let job = client.job_update(&app, &job.id.to_string(), &args.set.set(args.command)).await?;
    action.done();
    if args.json {
        context.printer.json(&job)?;
    } else {
        let next = job.next_run.map_or_else(String::new, |time| format!(", next at {time}"));
        context.printer.line(format!("{} runs {}{next}", job.command, when(&job)))?;
    }
    Ok(Ending::Done)
}
