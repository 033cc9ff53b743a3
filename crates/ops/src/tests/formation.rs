//! Scaling and resizing.

use super::*;
use crate::formation::{self, Quantity, Update};

fn update(name: &str, quantity: Option<&str>, size: Option<&str>) -> Update {
    Update {
        process_type: name.into(),
        quantity: quantity.map(|text| Quantity::parse(text).unwrap()),
        size: size.map(Into::into),
    }
}

#[tokio::test]
async fn scaling_is_absolute_or_relative_and_makes_no_release() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "x"), ("worker", "y")]).await;
    world.said();
    let scale = async |updates| formation::update(&world.ops, &world.admin, &app, updates).await;
    let rows =
        scale(vec![update("web", Some("2"), None), update("worker", Some("+3"), Some("STANDARD-1x"))]).await;
    assert_eq!(rows.unwrap().len(), 2);
    assert_eq!(world.formation(&app).await, "web=2:Basic worker=3:Standard-1X");
    assert_eq!(world.said(), ["Scaled to web@2:Basic worker@3:Standard-1X by user admin@example.com"]);
    scale(vec![update("worker", Some("-1"), None)]).await.unwrap();
    assert_eq!(world.formation(&app).await, "web=2:Basic worker=2:Standard-1X");
    world.said();
    let id = formation::info(&world.ops, &world.admin, &app, "web").await.unwrap().formation.id.to_string();
    let rows = scale(vec![update(&id, Some("2"), None)]).await.unwrap();
    assert_eq!((rows.len(), rows[0].formation.quantity), (1, 2));
    assert!(world.said().is_empty(), "nothing changed");
    assert_eq!(world.ledger(&app).await.len(), 3);
}

#[tokio::test]
async fn a_bad_wish_spoils_the_whole_update() {
    let world = World::with(Settings { max_quantity: 10, ..Settings::default() }).await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "x")]).await;
    let release = world.deploy(&app, &[("web", "x"), ("release", "y")]).await;
    crate::releases::finish_command(&world.ops, release.id, true).await.unwrap();
    world.said();
    for (bad, expected) in [
        (update("wrong", Some("1"), None), "404 not_found Couldn't find that process type (wrong)."),
        (
            update("web", Some("11"), None),
            "422 invalid_params Cannot scale web to 11 dynos: use a quantity from 0 to 10.",
        ),
        (
            update("web", Some("-9"), None),
            "422 invalid_params Cannot scale web to -4 dynos: use a quantity from 0 to 10.",
        ),
        (
            update("web", Some("99999999999"), None),
            "422 invalid_params Cannot scale web to 99999999999 dynos",
        ),
        (update("web", None, Some("huge")), "422 invalid_params No such dyno size as huge."),
        (update("release", Some("1"), None), "422 invalid_params The release process type can't be scaled"),
    ] {
        let updates = vec![update("web", Some("5"), None), bad];
        let text = refusal(formation::update(&world.ops, &world.admin, &app, updates).await);
        assert!(text.starts_with(expected), "{text}");
    }
    assert_eq!(world.formation(&app).await, "release=0:Basic web=1:Basic");
    assert!(world.said().is_empty());
    let resized = vec![update("release", None, Some("standard-2x"))];
    formation::update(&world.ops, &world.admin, &app, resized).await.unwrap();
    assert_eq!(world.formation(&app).await, "release=0:Standard-2X web=1:Basic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn relative_wishes_at_once_add_up() {
    let world = World::new().await;
    let app = world.app("shop").await;
    world.deploy(&app, &[("web", "x")]).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (ops, admin, app) = (world.ops.clone(), world.admin.clone(), app.clone());
            let updates = vec![update("web", Some("+1"), None)];
            tokio::spawn(async move { formation::update(&ops, &admin, &app, updates).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(world.formation(&app).await, "web=21:Basic");
}
