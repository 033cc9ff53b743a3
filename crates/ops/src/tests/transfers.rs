//! Backups, restores and copies: who may ask, what is refused, how they go on after a kill, and what the
//! app's log says of a backup that was tried.

use super::addons::{make, order};
use super::*;
use crate::addons;
use crate::transfers::{self, Done, Ended, From, Verdict, schedules};
use domain::{Proof, Transfer, TransferState};

const CATALOG: &str = r#"
name = "db"
title = "Database"
summary = "Keeps."
default_plan = "small"
[attachment]
first = "DATABASE"
further = "DB"
[config]
URL = "db://{user}@{host}:{port}"
[values]
user = { random = 8, each_credential = true }
[run]
packages = ["db"]
port = 1234
start = "exec db"
shared = { memory = 64, disk = 64 }
[hooks]
deprovision = "drop"
backup = "dump"
restore = "load"
verify = "look"
[[plans]]
name = "small"
title = "Small"
shared = true
"#;

async fn world() -> (World, String, String) {
    let mut catalog = ::addons::Catalog::default();
    catalog.add("test", CATALOG).unwrap();
    let settings = Settings { catalog: Arc::new(catalog), tells_operator: true, ..Settings::default() };
    let world = World::with(settings).await;
    let app = world.app("shop").await;
    let addon = make(&world, &app, order("db")).await.addon.name;
    world.said();
    (world, app, addon)
}

fn done() -> Ended {
    Ended::Done(Done {
        source_bytes: 10,
        processed_bytes: 5,
        figures: Some("a 1\n".into()),
        ..Done::default()
    })
}

async fn backup(world: &World, addon: &str) -> Transfer {
    let transfer = transfers::backup(&world.ops, &world.admin, addon).await.unwrap();
    transfers::begun(&world.ops, transfer.id).await.unwrap().unwrap();
    transfers::finished(&world.ops, transfer.id, done()).await.unwrap();
    seen(world, transfer.id).await
}

async fn seen(world: &World, id: domain::TransferId) -> Transfer {
    let mut tx = world.ops.store().read().await.unwrap();
    store::transfers::by_id(&mut tx, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_backup_is_made_and_then_tried() {
    let (world, app, addon) = world().await;
    let made = backup(&world, &addon).await;
    assert_eq!(
        (made.name().as_str(), made.state, made.proof),
        ("b001", TransferState::Succeeded, Proof::Wanted)
    );
    assert_eq!(world.said(), [format!("heroku[backups]: Backup b001 of {addon} completed")]);
    let (_, instance) = transfers::proof_begun(&world.ops, made.id).await.unwrap().unwrap();
    transfers::proof_ended(&world.ops, made.id, Verdict::Refuted("it lacks b".into())).await.unwrap();
    let said = world.said().join("\n");
    assert!(
        said.contains("heroku[backups]: Backup b001 of") && said.contains("CANNOT BE RESTORED: it lacks b"),
        "{said}"
    );
    let mut tx = world.ops.store().read().await.unwrap();
    assert!(store::instances::by_id(&mut tx, instance.id).await.unwrap().unwrap().removed);
    drop(tx);
    transfers::prove(&world.ops, &world.admin, &app, "1").await.unwrap();
    transfers::proof_begun(&world.ops, made.id).await.unwrap().unwrap();
    transfers::proof_ended(&world.ops, made.id, Verdict::Proven("a 1".into())).await.unwrap();
    let (now, lines) = transfers::info(&world.ops, &world.admin, &app, &made.id.to_string()).await.unwrap();
    assert_eq!((now.proof, now.proof_text.as_deref()), (Proof::Proven, Some("a 1")));
    assert!(lines.iter().any(|line| line.text == "a 1"), "{lines:?}");
}

#[tokio::test]
async fn what_a_killed_server_did_is_begun_again_three_times() {
    let (world, _, addon) = world().await;
    let asked = transfers::backup(&world.ops, &world.admin, &addon).await.unwrap();
    for state in [TransferState::Pending, TransferState::Pending, TransferState::Failed] {
        transfers::begun(&world.ops, asked.id).await.unwrap().unwrap();
        transfers::recover(&world.ops).await.unwrap();
        assert_eq!(seen(&world, asked.id).await.state, state);
    }
    assert!(transfers::begun(&world.ops, asked.id).await.unwrap().is_none());
    // A trial leaves no instance behind.
    let made = backup(&world, &addon).await;
    let (_, instance) = transfers::proof_begun(&world.ops, made.id).await.unwrap().unwrap();
    transfers::recover(&world.ops).await.unwrap();
    let mut tx = world.ops.store().read().await.unwrap();
    assert!(store::instances::by_id(&mut tx, instance.id).await.unwrap().unwrap().removed);
    drop(tx);
    assert_eq!(seen(&world, made.id).await.proof, Proof::Wanted);
}

#[tokio::test]
async fn one_that_is_deleted_while_it_is_tried_leaves_nothing() {
    let (world, app, addon) = world().await;
    let made = backup(&world, &addon).await;
    let (_, instance) = transfers::proof_begun(&world.ops, made.id).await.unwrap().unwrap();
    transfers::delete(&world.ops, &world.admin, &app, "1").await.unwrap();
    transfers::proof_ended(&world.ops, made.id, Verdict::Proven("a 1".into())).await.unwrap();
    let mut tx = world.ops.store().read().await.unwrap();
    assert!(store::instances::by_id(&mut tx, instance.id).await.unwrap().unwrap().removed);
}

#[tokio::test]
async fn refusals() {
    let (world, app, addon) = world().await;
    let made = backup(&world, &addon).await;
    let ops = &world.ops;
    let stranger = world.person("eve").await;
    for text in [
        refusal(transfers::list(ops, &stranger, &app).await),
        refusal(transfers::authorize_download(ops, &stranger, &app, "1").await),
    ] {
        assert!(text.starts_with("403 forbidden"), "{text}");
    }
    let other = "theirs";
    let input = crate::apps::Create { name: Some(other.into()), ..Default::default() };
    crate::apps::create(ops, &stranger, input).await.unwrap();
    let theirs = addons::create(ops, &stranger, other, order("db")).await.unwrap();
    addons::provisioned(ops, theirs.addon.id).await.unwrap();
    let theirs = theirs.addon.name;
    let mine = From::Backup(made.id);
    let text = refusal(transfers::restore(ops, &stranger, &theirs, mine, Vec::new()).await);
    assert!(text.starts_with("403 forbidden"), "another's backup was restored: {text}");
    let granted =
        transfers::restore(ops, &stranger, &theirs, From::Granted(made.id), Vec::new()).await.unwrap();
    assert_eq!(granted.name(), "r001");
    let bad = vec!["hstore; rm".to_owned()];
    let text = refusal(transfers::restore(ops, &world.admin, &addon, From::Backup(made.id), bad).await);
    assert!(text.contains("no extension's name"), "{text}");
    let text = refusal(transfers::copy(ops, &world.admin, "db://elsewhere", "db://elsewhere").await);
    assert!(text.contains("none of theirs"), "{text}");
    transfers::backup(ops, &world.admin, &addon).await.unwrap();
    let text = refusal(transfers::delete(ops, &world.admin, &app, "2").await);
    assert!(text.contains("Cancel it first"), "{text}");
    let cancelled = transfers::cancel(ops, &world.admin, &app, "2").await.unwrap();
    assert_eq!(cancelled.state, TransferState::Cancelled);
    transfers::delete(ops, &world.admin, &app, "2").await.unwrap();
    assert_eq!(
        transfers::backup(ops, &world.admin, &addon).await.unwrap().name(),
        "b003",
        "a number came back"
    );
}

#[tokio::test]
async fn an_add_on_has_one_schedule() {
    let (world, app, addon) = world().await;
    let (ops, admin) = (&world.ops, &world.admin);
    let set = |hour, timezone: &str| schedules::Set {
        hour,
        timezone: timezone.into(),
        name: "DATABASE_URL".into(),
    };
    let first = schedules::set(ops, admin, &addon, set(2, "UTC")).await.unwrap();
    let second = schedules::set(ops, admin, &addon, set(3, "Europe/Berlin")).await.unwrap();
    assert_eq!(schedules::list(ops, admin, &addon).await.unwrap(), std::slice::from_ref(&second));
    // Asked of whichever of the app's, and of no other app's.
    let other = make(&world, &app, order("db")).await.addon.name;
    assert_eq!(schedules::list(ops, admin, &other).await.unwrap(), std::slice::from_ref(&second));
    let stranger = world.app("blog").await;
    let stranger = make(&world, &stranger, order("db")).await.addon.name;
    assert_eq!(schedules::list(ops, admin, &stranger).await.unwrap(), []);
    let nobodys = schedules::delete(ops, admin, &other, second.id).await;
    assert!(refusal(nobodys).starts_with("404"));
    assert!(refusal(schedules::delete(ops, admin, &addon, first.id).await).starts_with("404"));
    for (hour, timezone, words) in [(24, "UTC", "no hour"), (1, "Europe/Nowhere", "not known here")] {
        let text = refusal(schedules::set(ops, admin, &addon, set(hour, timezone)).await);
        assert!(text.contains(words), "{text}");
    }
    transfers::scheduled(ops, &second, ops.now()).await.unwrap();
    let list = transfers::list(ops, admin, &app).await.unwrap();
    assert_eq!(list.iter().map(Transfer::name).collect::<Vec<_>>(), ["a001"]);
    schedules::delete(ops, admin, &addon, second.id).await.unwrap();
}

#[tokio::test]
async fn who_runs_the_server_has_to_know_of_scheduled_backups_that_fail() {
    let (world, app, addon) = world().await;
    let ops = &world.ops;
    let untold = async || {
        let all = store::notices::list(&mut ops.store().read().await.unwrap()).await.unwrap();
        all.into_iter().map(|one| (one.kind, one.to, one.subject)).collect::<Vec<_>>()
    };
    let by_hand = transfers::backup(ops, &world.admin, &addon).await.unwrap();
    transfers::finished(ops, by_hand.id, Ended::Failed("no luck".into())).await.unwrap();
    assert_eq!(untold().await, []);
    let input = schedules::Set { hour: 3, timezone: "UTC".into(), name: "DATABASE_URL".into() };
    let schedule = schedules::set(ops, &world.admin, &addon, input).await.unwrap();
    transfers::scheduled(ops, &schedule, world.ops.now()).await.unwrap();
    let made = transfers::list(ops, &world.admin, &app).await.unwrap().pop().unwrap();
    // Servers that die in the middle of it make no difference.
    for _ in 0..3 {
        transfers::begun(ops, made.id).await.unwrap().unwrap();
        transfers::recover(ops).await.unwrap();
    }
    let failed = format!("{app}: scheduled backup {} of {addon} failed", made.name());
    assert_eq!(untold().await, [(domain::NoticeKind::BackupFailed, domain::Reader::Operator, failed)]);
    assert!(world.said().join("\n").contains("failed: the server ended 3 times in the middle of it"));
    let since = world.ops.now();
    for _ in 0..2 {
        schedules::overdue(ops, schedule.id, since).await.unwrap();
    }
    let mut all: Vec<_> = untold().await.into_iter().map(|(_, _, subject)| subject).collect();
    all.sort();
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all[0].contains(&format!("NO PROVEN BACKUP of {addon} since ")), "{all:?}");
}
