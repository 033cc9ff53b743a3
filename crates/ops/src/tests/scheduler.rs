//! The scheduler: jobs, the runs that their due times make, and those that are left out.

use super::*;
use crate::scheduler::{self, Decided, Ended, Set};
use crate::{addons, apps};
use domain::{Dyno, DynoState, RunState};

async fn world() -> (World, String) {
    let catalog = ::addons::Catalog::load(None).unwrap_or_else(|error| panic!("{error}"));
    let world = World::with(Settings { catalog: Arc::new(catalog), ..Settings::default() }).await;
    let app = world.app("shop").await;
    super::addons::make(&world, &app, super::addons::order("scheduler")).await;
    world.said();
    (world, app)
}

fn set(command: &str, frequency: &str) -> Set {
    Set { command: Some(command.into()), frequency: Some(frequency.into()), ..Set::default() }
}

async fn add(world: &World, app: &str, input: Set) -> domain::Job {
    let made = scheduler::create(&world.ops, &world.admin, app, input).await.unwrap();
    world.said();
    made.job
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn due(world: &World, job: &domain::Job, run: &str) {
    let at = world.ops.now();
    scheduler::decided(&world.ops, job.id, Decided { run: Some(time(run)), missed: None, at }).await.unwrap();
}

/// `scheduler.N running`, newest first, with the reason for what did not run.
async fn history(world: &World, app: &str) -> Vec<String> {
    let runs = scheduler::history(&world.ops, &world.admin, app, None).await.unwrap();
    let shown = runs.iter().map(|(_, run)| {
        let dyno = run.dyno_name.as_ref().map_or("-", |name| name.process_type.as_str());
        format!("{dyno} {} {}", run.state.as_str(), run.failure.as_deref().unwrap_or("-"))
    });
    shown.collect()
}

async fn dynos(world: &World, app: &str) -> Vec<Dyno> {
    let app = world.row(app).await.id;
    store::dynos::list(&mut world.ops.store().read().await.unwrap(), app).await.unwrap()
}

async fn end(world: &World, mut dyno: Dyno, state: DynoState, status: Option<i32>) {
    (dyno.state, dyno.exit_status) = (state, status);
    dyno.started_at = status.map(|_| world.ops.now());
    dyno.state_changed_at = world.ops.now();
    let runs = store::scheduler::runs::running(&mut world.ops.store().read().await.unwrap()).await.unwrap();
    let run = runs.into_iter().find(|run| run.dyno == Some(dyno.id)).unwrap();
    for _ in 0..2 {
        scheduler::ended(&world.ops, run.id, Ended::With(Box::new(dyno.clone()))).await.unwrap();
    }
}

#[tokio::test]
async fn an_app_has_one_scheduler_and_no_config_var_of_it() {
    let (world, app) = world().await;
    let again = addons::create(&world.ops, &world.admin, &app, super::addons::order("scheduler")).await;
    let text = refusal(again);
    assert!(text.starts_with("422 invalid_params Heroku Scheduler can be had once for each app"), "{text}");
    let vars = crate::config_vars::info(&world.ops, &world.admin, &app).await.unwrap();
    assert!(vars.0.is_empty());
    let other = world.app("other").await;
    let text = refusal(scheduler::list(&world.ops, &world.admin, &other).await);
    assert!(
        text.contains("has no scheduler. Add it with `heroku addons:create scheduler:standard`"),
        "{text}"
    );
    let addon = addons::info_of_app(&world.ops, &world.admin, &app, "SCHEDULER").await.unwrap().addon.name;
    let shared = crate::attachments::Create { addon, app: other, ..Default::default() };
    let text = refusal(crate::attachments::create(&world.ops, &world.admin, shared).await);
    assert!(text.starts_with("422"), "{text}");
}

#[tokio::test]
async fn jobs_are_added_changed_and_removed() {
    let (world, app) = world().await;
    let (ops, admin) = (&world.ops, &world.admin);
    let made = scheduler::create(ops, admin, &app, set(" rake tidy ", "daily at 5:30")).await.unwrap().job;
    assert_eq!((made.command.as_str(), made.frequency.to_string().as_str()), ("rake tidy", "daily at 05:30"));
    assert_eq!(world.said(), ["Add job `rake tidy` (daily at 05:30) by user admin@example.com"]);
    let id = made.id.to_string();
    world.pass(60);
    let change = Set { size: Some("standard-2x".into()), overlap: Some(false), ..Set::default() };
    let changed = scheduler::update(ops, admin, &app, &id, change).await.unwrap().job;
    assert_eq!((changed.size, changed.overlap), (Some(domain::DynoSize::Standard2X), false));
    assert_eq!(changed.decided_until, made.decided_until, "what is due stays due");
    let change = Set { frequency: Some("0 3 * * 1".into()), timezone: Some("UTC".into()), ..Set::default() };
    let changed = scheduler::update(ops, admin, &app, &id, change).await.unwrap().job;
    assert_eq!(changed.decided_until, ops.now(), "what was due by the old time is not due by the new one");
    for (input, words) in [
        (set("", "hourly at :10"), "Command can't be blank"),
        (set("x", "hourly at :11"), "is none of :00"),
        (Set { timezone: Some("Mars".into()), ..set("x", "* * * * *") }, "time zone \"Mars\" is not known"),
        (Set { timezone: Some("Europe/Berlin".into()), ..set("x", "daily at 05:00") }, "goes by UTC"),
        (Set { size: Some("huge".into()), ..set("x", "* * * * *") }, "huge"),
        (Set { command: Some("x".into()), ..Set::default() }, "frequency is missing"),
    ] {
        let text = refusal(scheduler::create(ops, admin, &app, input).await);
        assert!(text.starts_with("422") && text.contains(words), "{text}");
    }
    assert_eq!(scheduler::list(ops, admin, &app).await.unwrap().len(), 1);
    scheduler::destroy(ops, admin, &app, &id).await.unwrap();
    assert!(refusal(scheduler::info(ops, admin, &app, &id).await).starts_with("404"));
}

#[tokio::test]
async fn others_may_not() {
    let (world, app) = world().await;
    let job = add(&world, &app, set("rake", "hourly at :00")).await.id.to_string();
    let guest = world.person("guest").await;
    let text = refusal(scheduler::list(&world.ops, &guest, &app).await);
    assert!(text.starts_with("403 forbidden You do not have access"), "{text}");
    let reader = world.token(&world.admin, &["read-protected"]).await;
    let writer = world.token(&world.admin, &["write"]).await;
    assert_eq!(scheduler::list(&world.ops, &reader, &app).await.unwrap().len(), 1);
    for actor in [&reader, &writer] {
        let ops = &world.ops;
        let texts = [
            refusal(scheduler::create(ops, actor, &app, set("env", "* * * * *")).await),
            refusal(scheduler::update(ops, actor, &app, &job, Set::default()).await),
            refusal(scheduler::destroy(ops, actor, &app, &job).await),
            refusal(scheduler::run(ops, actor, &app, &job).await),
        ];
        assert!(texts.iter().all(|text| text.starts_with("403 forbidden The scope")), "{texts:?}");
    }
    // A job of another app is nobody's business.
    let other = world.app("other").await;
    super::addons::make(&world, &other, super::addons::order("scheduler")).await;
    assert!(refusal(scheduler::run(&world.ops, &world.admin, &other, &job).await).starts_with("404"));
}

#[tokio::test]
async fn a_due_time_makes_one_dyno_and_is_written_down() {
    let (world, app) = world().await;
    world.deploy(&app, &[("web", "node"), ("tidy", "bin/tidy")]).await;
    let job = add(&world, &app, set("tidy --all", "every 10 minutes")).await;
    world.pass(600);
    for _ in 0..3 {
        due(&world, &job, "2026-01-01T00:10:00Z").await;
    }
    let said = world.said();
    assert_eq!(said, ["Starting process with command `bin/tidy --all` by user scheduler@addons.heroku.com"]);
    let [dyno] = &dynos(&world, &app).await[..] else { panic!("one dyno") };
    assert_eq!((dyno.name.process_type.as_str(), dyno.time_limit), ("scheduler", Some(86_400)));
    assert_eq!(history(&world, &app).await, ["scheduler running -"]);
    end(&world, dyno.clone(), DynoState::Complete, Some(0)).await;
    assert_eq!(history(&world, &app).await, ["scheduler succeeded -"]);
    let info = scheduler::info(&world.ops, &world.admin, &app, &job.id.to_string()).await.unwrap();
    assert_eq!(info.job.decided_until, time("2026-01-01T00:10:00Z"));
    assert_eq!(info.last.map(|run| run.state), Some(RunState::Succeeded));
}

#[tokio::test]
async fn what_goes_wrong_is_told() {
    let (world, app) = world().await;
    let job = add(&world, &app, set("rake", "every 10 minutes")).await;
    world.pass(600);
    due(&world, &job, "2026-01-01T00:10:00Z").await;
    let said = world.said();
    assert_eq!(
        said,
        [
            "Scheduled job `rake` of 2026-01-01T00:10:00Z was not run: The app shop has no code to run. Deploy it first"
        ]
    );
    world.deploy(&app, &[("web", "node")]).await;
    apps::update(
        &world.ops,
        &world.admin,
        &app,
        apps::Update { maintenance: Some(true), ..Default::default() },
    )
    .await
    .unwrap();
    world.said();
    world.pass(600);
    due(&world, &job, "2026-01-01T00:20:00Z").await;
    assert!(world.said()[0].ends_with("was not run: the app is in maintenance mode"));
    // By hand it runs all the same.
    world.pass(1);
    scheduler::run(&world.ops, &world.admin, &app, &job.id.to_string()).await.unwrap();
    assert_eq!(world.said(), ["Starting process with command `rake` by user admin@example.com"]);
    let [dyno] = &dynos(&world, &app).await[..] else { panic!("one dyno") };
    end(&world, dyno.clone(), DynoState::Crashed, Some(3)).await;
    let at = world.ops.now();
    let missed = Decided { run: None, missed: Some(time("2026-01-01T00:15:00Z")), at };
    scheduler::decided(&world.ops, job.id, missed).await.unwrap();
    assert_eq!(
        history(&world, &app).await,
        [
            "scheduler failed it exited with status 3",
            "- skipped the app is in maintenance mode",
            "- failed The app shop has no code to run. Deploy it first.",
        ],
        "a due time of before the last decision is not decided again"
    );
    world.pass(3600);
    let missed = Decided { run: None, missed: Some(time("2026-01-01T00:30:00Z")), at: world.ops.now() };
    for _ in 0..2 {
        scheduler::decided(&world.ops, job.id, missed).await.unwrap();
    }
    let newest = history(&world, &app).await;
    assert_eq!(
        (newest.len(), newest[0].as_str()),
        (4, "- skipped this server was not running when it was due")
    );
}

#[tokio::test]
async fn runs_overlap_unless_they_may_not() {
    let (world, app) = world().await;
    world.deploy(&app, &[("web", "node")]).await;
    let free = add(&world, &app, set("free", "every 10 minutes")).await;
    let alone = add(&world, &app, Set { overlap: Some(false), ..set("alone", "every 10 minutes") }).await;
    for minute in ["10", "20"] {
        world.pass(600);
        for job in [&free, &alone] {
            due(&world, job, &format!("2026-01-01T00:{minute}:00Z")).await;
        }
    }
    let commands: Vec<_> = dynos(&world, &app).await.into_iter().map(|dyno| dyno.command).collect();
    assert_eq!(commands.iter().filter(|command| *command == "free").count(), 2);
    assert_eq!(commands.iter().filter(|command| *command == "alone").count(), 1);
    let skipped = history(&world, &app).await;
    assert!(
        skipped.iter().any(|run| run.starts_with("- skipped the run before it, scheduler.")),
        "{skipped:?}"
    );
    let text = refusal(scheduler::run(&world.ops, &world.admin, &app, &alone.id.to_string()).await);
    assert!(text.starts_with("409 conflict The job is running, as scheduler."), "{text}");
    let dyno = dynos(&world, &app).await.into_iter().find(|dyno| dyno.command == "alone").unwrap();
    end(&world, dyno, DynoState::Complete, Some(0)).await;
    world.pass(600);
    due(&world, &alone, "2026-01-01T00:30:00Z").await;
    assert_eq!(dynos(&world, &app).await.len(), 4);
}

#[tokio::test]
async fn history_is_bounded_and_survives_a_restart() {
    let (world, app) = world().await;
    let job = add(&world, &app, set("rake", "* * * * *")).await;
    for minute in 1..=130 {
        world.pass(60);
        let run = time("2026-01-01T00:00:00Z") + SignedDuration::from_mins(minute);
        let decided = Decided { run: Some(run), missed: None, at: world.ops.now() };
        scheduler::decided(&world.ops, job.id, decided).await.unwrap();
    }
    let world = world.restart().await;
    let runs = scheduler::history(&world.ops, &world.admin, &app, Some(&job.id.to_string())).await.unwrap();
    assert_eq!(runs.len(), 100);
    assert_eq!(runs[0].1.due, Some(time("2026-01-01T02:10:00Z")));
}

#[tokio::test]
async fn nothing_runs_of_a_scheduler_that_is_given_up() {
    let (world, app) = world().await;
    world.deploy(&app, &[("web", "node")]).await;
    let job = add(&world, &app, set("rake", "every 10 minutes")).await;
    addons::destroy(&world.ops, &world.admin, &app, "SCHEDULER", false).await.unwrap();
    world.pass(600);
    due(&world, &job, "2026-01-01T00:10:00Z").await;
    assert!(dynos(&world, &app).await.is_empty());
    let active = store::scheduler::active(&mut world.ops.store().read().await.unwrap()).await.unwrap();
    assert!(active.is_empty());
    // Whoever adds another one begins with nothing.
    super::addons::make(&world, &app, super::addons::order("scheduler")).await;
    assert!(scheduler::list(&world.ops, &world.admin, &app).await.unwrap().is_empty());
}
