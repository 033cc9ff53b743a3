//! The scheduler's page: jobs, what they ran, and forms to change them.

use super::layout::Body;
use super::{Fields, Visit, field};
use crate::{ApiError, present};
use domain::DynoSize;
use maud::{Markup, html};
use ops::scheduler::{self, Set};
use wire::scheduler::{Job, Run};

/// Runs that are shown.
const RUNS: usize = 25;

/// Does what a form asks for.
pub(super) async fn act(visit: &Visit<'_>, form: &Fields) -> Result<(), ApiError> {
    let (ops, actor, app, job) = (visit.api.ops(), visit.actor, visit.app(), field(form, "job"));
    match field(form, "action") {
        "set" if job.is_empty() => drop(scheduler::create(ops, actor, &app, set(form)).await?),
        "set" => drop(scheduler::update(ops, actor, &app, job, set(form)).await?),
        "remove" => drop(scheduler::destroy(ops, actor, &app, job).await?),
        "run" => drop(scheduler::run(ops, actor, &app, job).await?),
        _ => return Err(ApiError::bad_request("The form says nothing that this page knows.")),
    }
    Ok(())
}

/// A form has all of a job, so what is not in it is not left as it was.
fn set(form: &Fields) -> Set {
    let text = |name| field(form, name).trim().to_owned();
    Set {
        command: Some(text("command")),
        size: Some(text("size")),
        frequency: Some(text("frequency")),
        timezone: Some(text("timezone")).filter(|zone| !zone.is_empty()),
        overlap: Some(!form.contains_key("no_overlap")),
    }
}

/// The page's own part.
pub(super) async fn page(visit: &Visit<'_>) -> Result<Body, ApiError> {
    let (ops, app) = (visit.api.ops(), visit.app());
    let now = ops.now();
    let jobs: Vec<_> = scheduler::list(ops, visit.actor, &app).await?;
    let jobs: Vec<_> = jobs.iter().map(|info| present::job(info, now)).collect();
    let runs = scheduler::history(ops, visit.actor, &app, None).await?;
    let runs: Vec<_> = runs.iter().take(RUNS).map(|(job, run)| present::run(job, run)).collect();
    let word = visit.session.form(visit.api);
    let edited = jobs.iter().find(|job| Some(&job.id.to_string()) == visit.query.get("edit"));
    let main = html! {
        @if let Some((error, _)) = visit.refused { p role="alert" { (error.body.message) } }
        @if jobs.is_empty() { p { "There are no jobs yet." } } @else { (list(&jobs, &word)) }
        (editor(&filled(visit, edited), &word))
        (history(&runs))
    };
    Ok(Body { title: format!("Scheduler of {}", visit.opened.info.app.name), main })
}

fn list(jobs: &[Job], word: &str) -> Markup {
    html! {
        table {
            caption { "Jobs" }
            thead { tr {
                @for name in ["Command", "Frequency", "Next run", "Last run", "Size", "Overlap", ""] {
                    th scope="col" { (name) }
                }
            } }
            tbody { @for job in jobs { tr {
                th scope="row" { code { (job.command) } }
                td { (job.frequency) @if job.timezone != "UTC" { " " (job.timezone) } }
                td { @if let Some(time) = job.next_run { (time) } }
                td { @match &job.last_run { Some(run) => (outcome(run)), None => "never" } }
                td { (job.size.as_deref().unwrap_or("as web")) }
                td { @if job.overlap { "yes" } @else { "no" } }
                td {
                    a href={ "?edit=" (job.id) "#edit" } { "Edit" }
                    @for (action, text) in [("run", "Run now"), ("remove", "Remove")] {
                        " "
                        form method="post" {
                            input type="hidden" name="form" value=(word);
                            input type="hidden" name="job" value=(job.id);
                            button name="action" value=(action) aria-label={ (text) " " (job.command) } { (text) }
                        }
                    }
                }
            } } }
        }
    }
}

/// What the form for a job shows.
#[derive(Default)]
struct Filled {
    job: String,
    command: String,
    frequency: String,
    timezone: String,
    size: String,
    no_overlap: bool,
}

/// What was sent and refused, else the job that is edited.
fn filled(visit: &Visit<'_>, edited: Option<&Job>) -> Filled {
    if let Some((_, form)) = visit.refused.filter(|(_, form)| field(form, "action") == "set") {
        let text = |name| field(form, name).to_owned();
        return Filled {
            job: text("job"),
            command: text("command"),
            frequency: text("frequency"),
            timezone: text("timezone"),
            size: text("size"),
            no_overlap: form.contains_key("no_overlap"),
        };
    }
    edited.map_or_else(Filled::default, |job| Filled {
        job: job.id.to_string(),
        command: job.command.clone(),
        frequency: job.frequency.clone(),
        timezone: job.timezone.clone(),
        size: job.size.clone().unwrap_or_default(),
        no_overlap: !job.overlap,
    })
}

fn editor(filled: &Filled, word: &str) -> Markup {
    let minutes = (0..6).map(|ten| format!("hourly at :{ten}0"));
    let times = (0..24).flat_map(|hour| [format!("daily at {hour:02}:00"), format!("daily at {hour:02}:30")]);
    let offered = std::iter::once("every 10 minutes".to_owned()).chain(minutes).chain(times);
    html! {
        h2 id="edit" { @if filled.job.is_empty() { "Add a job" } @else { "Edit a job" } }
        form method="post" {
            input type="hidden" name="form" value=(word);
            input type="hidden" name="job" value=(filled.job);
            label { "Command" input name="command" value=(filled.command) required; }
            label {
                "Frequency"
                input name="frequency" value=(filled.frequency) list="offered" required;
                small { "every 10 minutes, hourly at :20, daily at 05:30 (UTC), or a cron expression of five fields" }
            }
            datalist id="offered" { @for one in offered { option value=(one) {} } }
            label {
                "Time zone of a cron expression"
                input name="timezone" value=(filled.timezone) placeholder="UTC";
            }
            label {
                "Dyno size "
                select name="size" {
                    option value="" { "as web" }
                    @for size in DynoSize::ALL {
                        option value=(size) selected[size.to_string() == filled.size] { (size) }
                    }
                }
            }
            label { input type="checkbox" name="no_overlap" checked[filled.no_overlap]; " Leave a run out while the one before it still goes" }
            button name="action" value="set" { "Save" }
            @if !filled.job.is_empty() { " " a href="?" { "Cancel" } }
        }
    }
}

fn history(runs: &[Run]) -> Markup {
    html! {
        @if !runs.is_empty() { table {
            caption { "Last runs" }
            thead { tr {
                @for name in ["Due", "Dyno", "Finished", "Outcome", "Command"] { th scope="col" { (name) } }
            } }
            tbody { @for run in runs { tr {
                td { @match run.due_at { Some(due) => (due), None => "by hand" } }
                td { (run.dyno.as_deref().unwrap_or("-")) }
                td { @match run.finished_at { Some(time) => (time), None => "-" } }
                td { (outcome(run)) }
                td { code { (run.job.command) } }
            } } }
        } }
    }
}

fn outcome(run: &Run) -> String {
    match &run.failure {
        Some(why) => format!("{}: {why}", run.status),
        None => run.status.clone(),
    }
}
