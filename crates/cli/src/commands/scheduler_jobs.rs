//! `kigo scheduler:jobs`.

use super::jobs::{outcome, short, when};
use super::{AppArgs, Context, Ending, Result};
use wire::scheduler::Job;

/// List the jobs of an app's scheduler
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
    let jobs = context.client()?.jobs(&app).await?;
    if args.json {
        context.printer.json(&jobs)?;
        return Ok(Ending::Done);
    }
    if jobs.is_empty() {
        context.printer.line(format!("{app} has no jobs. Add one with kigo scheduler:add."))?;
        return Ok(Ending::Done);
    }
    context.printer.heading(format!("{app} Jobs"))?;
    let head = ["ID", "FREQUENCY", "NEXT RUN", "LAST RUN", "SIZE", "COMMAND"].map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(head).chain(jobs.iter().map(row)).collect();
    context.printer.table(&rows)?;
    Ok(Ending::Done)
}

fn row(job: &Job) -> Vec<String> {
    vec![
        short(job),
        when(job),
        job.next_run.map_or_else(String::new, |time| time.to_string()),
        job.last_run.as_ref().map_or_else(|| "never".to_owned(), outcome),
        job.size.clone().unwrap_or_else(|| "as web".into()),
        job.command.clone(),
    ]
}
