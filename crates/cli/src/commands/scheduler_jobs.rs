//! `kigo scheduler:jobs`.

use super::jobs::{outcome, short, when};
use super::shared::ListArgs;
use super::{Context, Ending, Result};
use wire::scheduler::Job;

/// List the jobs of an app's scheduler
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    list: ListArgs,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let nothing = "no jobs. Add one with kigo scheduler:add.";
    let found = args.list.list(context, async |client, app| Ok(client.jobs(app).await?), nothing).await?;
    let Some((app, jobs)) = found else { return Ok(Ending::Done) };
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
