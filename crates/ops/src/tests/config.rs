//! Config vars and the releases they make.

use super::*;
use crate::config_vars;

#[tokio::test]
async fn each_change_makes_one_release_and_no_change_none() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.set(&app, &[("B", Some("2")), ("A", Some("1"))]).await.unwrap();
    assert_eq!(
        world.said(),
        ["Release v3 created by user admin@example.com", "Set A, B config vars by user admin@example.com"]
    );
    world.set(&app, &[("A", Some("1")), ("C", None)]).await.unwrap();
    assert!(world.said().is_empty());
    let left = world.set(&app, &[("A", None)]).await.unwrap();
    assert_eq!(left.0, [("B".to_owned(), "2".to_owned())].into());
    assert_eq!(
        world.ledger(&app).await[2..],
        ["v3 Set A, B config vars succeeded", "v4* Remove A config vars succeeded"]
    );
    let old = config_vars::info_of_release(&world.ops, &world.admin, &app, "v3").await.unwrap();
    assert_eq!(old.0.len(), 2, "a release keeps its vars");
    let first = config_vars::info_of_release(&world.ops, &world.admin, &app, "1").await.unwrap();
    assert!(first.0.is_empty());
}

#[tokio::test]
async fn a_bad_var_spoils_the_whole_change() {
    let world = World::with(Settings { max_config_bytes: 100, ..Settings::default() }).await;
    let app = world.app("shop").await;
    world.set(&app, &[("KEPT", Some("x"))]).await.unwrap();
    let large = "x".repeat(100);
    for (name, value) in [("2BAD", "x"), ("HEROKU_APP", "x"), ("A", "x\0y"), ("A", large.as_str())] {
        let text = refusal(world.set(&app, &[("GOOD", Some("1")), (name, Some(value))]).await);
        assert!(text.starts_with("422 invalid_params"), "{text}");
        assert!(!text.contains("x\0y") && !text.contains(&large), "a value in an error");
    }
    let vars = config_vars::info(&world.ops, &world.admin, &app).await.unwrap();
    assert_eq!(vars.0.keys().collect::<Vec<_>>(), ["KEPT"]);
    assert_eq!(world.ledger(&app).await.len(), 3);
    // Exactly the limit fits.
    world.set(&app, &[("A", Some(&"x".repeat(100 - 1 - "KEPTx".len())))]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_at_once_lose_nothing_and_leave_no_gap() {
    let world = World::new().await;
    let app = world.app("busy").await;
    let tasks: Vec<_> = (0..30)
        .map(|number| {
            let (ops, admin, app) = (world.ops.clone(), world.admin.clone(), app.clone());
            let changes = [(format!("VAR_{number}"), Some("x".to_owned()))].into();
            tokio::spawn(async move { config_vars::update(&ops, &admin, &app, changes).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(config_vars::info(&world.ops, &world.admin, &app).await.unwrap().0.len(), 30);
    let releases = crate::releases::list(&world.ops, &world.admin, &app).await.unwrap();
    let versions: Vec<_> = releases.iter().map(|info| info.release.version).collect();
    assert_eq!(versions, (1..=32).collect::<Vec<_>>());
    assert_eq!(releases.iter().filter(|info| info.current).count(), 1);
    assert!(releases[31].current);
}

#[tokio::test]
async fn a_change_survives_a_restart() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.set(&app, &[("A", Some("ünïcode\nlines"))]).await.unwrap();
    let world = world.restart().await;
    let vars = config_vars::info(&world.ops, &world.admin, &app).await.unwrap();
    assert_eq!(vars.0["A"], "ünïcode\nlines");
}

#[tokio::test]
async fn a_client_that_hangs_up_anywhere_leaves_all_of_a_change_or_nothing() {
    let world = World::new().await;
    let app = world.app("shop").await;
    for polls in 0..60 {
        let changes = [(format!("VAR_{polls}"), Some("x".to_owned()))].into();
        let mut change = Box::pin(config_vars::update(&world.ops, &world.admin, &app, changes));
        let mut left = polls;
        std::future::poll_fn(|context| {
            left -= 1;
            if left < 0 { std::task::Poll::Ready(()) } else { change.as_mut().poll(context).map(drop) }
        })
        .await;
    }
    // Waits for a commit that goes on by itself.
    drop(world.ops.store().write().await.unwrap());
    let vars = config_vars::info(&world.ops, &world.admin, &app).await.unwrap();
    let releases = crate::releases::list(&world.ops, &world.admin, &app).await.unwrap();
    let versions: Vec<_> = releases.iter().map(|info| info.release.version).collect();
    assert_eq!(versions, (1..=u32::try_from(vars.0.len()).unwrap() + 2).collect::<Vec<_>>());
    let told = world.said().iter().filter(|line| line.starts_with("Release v")).count();
    assert_eq!(told, vars.0.len(), "the log speaks of what happened, and of all of it");
    assert!((1..60).contains(&vars.0.len()), "some were cut short and some were not");
}
