//! `kigo scheduler:history`.

use super::jobs::{find, outcome};
use super::{AppArgs, Context, Ending, Result};
use wire::scheduler::Run;

/// Show what an app's scheduler has run, and what it has left out
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of one job only: its id, the beginning of it, or its command
    job: Option<String>,
    /// How many
    #[arg(short, long, default_value_t = 15)]
    num: usize,
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<Ending> {
    let app = args.app.resolve(context)?;
    let client = context.client()?;
    let job = match &args.job {
        Some(job) => Some(find(&client, &app, job).await?.id.to_string()),
        None => None,
    };
    let mut runs = client.job_runs(&app, job.as_deref()).await?;
    runs.truncate(args.num);
    if args.json {
        context.printer.json(&runs)?;
        return Ok(Ending::Done);
    }
    if runs.is_empty() {
        context.printer.line("Nothing has run yet.")?;
        return Ok(Ending::Done);
    }
    context.printer.heading(format!("{app} Runs"))?;
    let head = ["DUE", "DYNO", "FINISHED", "OUTCOME", "COMMAND"].map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(head).chain(runs.iter().map(row)).collect();
    context.printer.table(&rows)?;
    Ok(Ending::Done)
}

fn row(run: &Run) -> Vec<String> {
    let due = run.due_at.map_or_else(|| format!("by hand, {}", run.created_at), |due| due.to_string());
    vec![
        due,
        run.dyno.clone().unwrap_or_else(|| "-".into()),
        run.finished_at.map_or_else(|| "-".into(), |time| time.to_string()),
        outcome(run),
        run.job.command.clone(),
    ]
}
