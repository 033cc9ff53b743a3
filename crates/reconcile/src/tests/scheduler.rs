//! Jobs of the scheduler as stories, and killed anywhere.

use super::harness::World;
use super::kills::harass;
use domain::{App, Job, Run, RunState};
use jiff::SignedDuration;
use ops::scheduler::Set;
use std::sync::Arc;

/// An app that runs, with a scheduler.
async fn world() -> (World, App) {
    let catalog = addons::Catalog::load(None).unwrap_or_else(|error| panic!("{error}"));
    let settings = ops::Settings { catalog: Arc::new(catalog), ..ops::Settings::default() };
    let mut world = World::with_ops(|_| (), settings).await;
    world.start();
    let app = world.create_app("shop").await;
    world.deploy(&app, "a").await;
    let order = ops::addons::Create { plan: "scheduler:standard".into(), ..ops::addons::Create::default() };
    let made = ops::addons::create(&world.ops, &world.actor, app.name.as_str(), order).await.unwrap();
    world
        .until("the scheduler is there", async || {
            let info = ops::addons::info(&world.ops, &world.actor, &made.addon.name).await.unwrap();
            info.addon.state == domain::AddonState::Provisioned
        })
        .await;
    (world, app)
}

impl World {
    async fn add_job(&self, app: &App, command: &str) -> Job {
        let set = Set {
            command: Some(command.into()),
            // Far away: the tests say themselves when it is due.
            frequency: Some("0 0 29 2 *".into()),
            ..Set::default()
        };
        ops::scheduler::create(&self.ops, &self.actor, app.name.as_str(), set).await.unwrap().job
    }

    /// As if the job had been made so many minutes ago, to run each minute.
    async fn make_due(&self, job: &Job, minutes: i64) {
        let mut write = self.ops.store().write().await.unwrap();
        let mut job = job.clone();
        job.frequency = "* * * * *".parse().unwrap();
        job.decided_until = self.ops.now() - SignedDuration::from_mins(minutes);
        store::scheduler::update(&mut write, &job).await.unwrap();
        write.commit().await.unwrap();
    }

    async fn runs(&self, app: &App) -> Vec<Run> {
        let runs = ops::scheduler::history(&self.ops, &self.actor, app.name.as_str(), None).await.unwrap();
        runs.into_iter().map(|(_, run)| run).collect()
    }
}

#[tokio::test]
async fn a_job_runs_when_it_is_due() {
    let (world, app) = world().await;
    let job = world.add_job(&app, "rake").await;
    world.make_due(&job, 3).await;
    world
        .until("it has run", async || {
            world.runs(&app).await.iter().any(|run| run.state == RunState::Succeeded)
        })
        .await;
    let runs = world.runs(&app).await;
    let run = runs.iter().find(|run| run.state == RunState::Succeeded).unwrap();
    assert_eq!(run.exit_status, Some(0));
    let name = run.dyno_name.clone().unwrap();
    assert!(runs.iter().any(|run| run.state == RunState::Skipped), "what was missed before: {runs:?}");
    // All that it printed is there once its end is written down.
    let log = world.log(&app).await;
    for line in [
        "app[api]: Starting process with command `rake` by user scheduler@addons.heroku.com".to_owned(),
        format!("heroku[{name}]: Starting process with command `rake`"),
        format!("app[{name}]: hello from {name}"),
        format!("heroku[{name}]: Process exited with status 0"),
    ] {
        assert!(log.contains(&line), "{line}: {log:#?}");
    }
    world
        .until("its dyno is forgotten", async || world.rows(&app).await.iter().all(|dyno| dyno.name != name))
        .await;
}

#[tokio::test]
async fn a_job_that_fails_is_told() {
    let (world, app) = world().await;
    let vars = [("EXIT".to_owned(), Some("7".to_owned()))].into();
    ops::config_vars::update(&world.ops, &world.actor, app.name.as_str(), vars).await.unwrap();
    let job = world.add_job(&app, "rake").await;
    let id = job.id.to_string();
    ops::scheduler::run(&world.ops, &world.actor, app.name.as_str(), &id).await.unwrap();
    world.until("it has ended", async || world.runs(&app).await[0].state != RunState::Running).await;
    let run = &world.runs(&app).await[0];
    assert_eq!((run.exit_status, run.failure.as_deref()), (Some(7), Some("it exited with status 7")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_due_time_runs_once_wherever_the_server_is_killed() {
    let (mut world, app) = world().await;
    let job = world.add_job(&app, "rake").await;
    world.kill().await;
    world.make_due(&job, 2).await;
    harass(&mut world, "it has run", async |world| {
        let runs = world.runs(&app).await;
        runs.iter().any(|run| !matches!(run.state, RunState::Skipped | RunState::Running))
    })
    .await;
    let runs = world.runs(&app).await;
    let due: Vec<_> = runs.iter().filter(|run| run.dyno.is_some()).filter_map(|run| run.due).collect();
    let mut once = due.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), due.len(), "{runs:#?}");
    world.start();
    world
        .until("all have ended", async || {
            world.runs(&app).await.iter().all(|run| run.state != RunState::Running)
        })
        .await;
    let log = world.log(&app).await;
    let runs = world.runs(&app).await;
    for run in runs.iter().filter_map(|run| run.dyno_name.as_ref()) {
        let hello = format!("app[{run}]: hello from {run}");
        assert_eq!(log.iter().filter(|line| **line == hello).count(), 1, "{run}: {log:#?}");
    }
}
