//! Bad news of backups: told to all whom it concerns, again until it is taken, and by the next server.

use super::alerts::mail_server;
use super::harness::World;
use super::other_side::{OtherSide, Reply};
use crate::{Mail, Operator};
use domain::{Account, AccountId, Notice, Transfer};
use ops::transfers::{Done, Ended, Verdict};
use std::sync::Arc;

const CATALOG: &str = r#"
name = "db"
title = "Database"
summary = "Keeps."
default_plan = "small"
[attachment]
first = "DATABASE"
[config]
URL = "db://{host}:{port}"
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

impl World {
    /// An app of two people with a backup that cannot be restored. No loop has seen it yet.
    async fn with_bad_news(operator: &OtherSide, mail: Option<Mail>) -> (Self, Transfer) {
        let mut catalog = addons::Catalog::default();
        catalog.add("test", CATALOG).unwrap();
        let settings = ops::Settings {
            catalog: Arc::new(catalog),
            sends_mail: mail.is_some(),
            tells_operator: true,
            ..ops::Settings::default()
        };
        let hook = Operator::parse(&format!("{}/hook", operator.url())).unwrap();
        let change = |settings: &mut crate::Settings| (settings.mail, settings.operator) = (mail, Some(hook));
        let world = Self::with_ops(change, settings).await;
        let (app, actor) = (world.create_app("shop").await, &world.actor);
        for name in ["bob", "eve"] {
            let account = Account {
                id: AccountId::new(),
                email: format!("{name}@example.com"),
                ..actor.account.clone()
            };
            let mut write = world.ops.store().write().await.unwrap();
            store::accounts::insert(&mut write, &account, None).await.unwrap();
            write.commit().await.unwrap();
            ops::collaborators::create(&world.ops, actor, "shop", &account.email).await.unwrap();
        }
        let order =
            ops::addons::Create { plan: "db".into(), name: Some("till".into()), ..Default::default() };
        let made = ops::addons::create(&world.ops, actor, app.name.as_str(), order).await.unwrap();
        ops::addons::provisioned(&world.ops, made.addon.id).await.unwrap();
        let backup = ops::transfers::backup(&world.ops, actor, "till").await.unwrap();
        ops::transfers::begun(&world.ops, backup.id).await.unwrap().unwrap();
        ops::transfers::finished(&world.ops, backup.id, Ended::Done(Done::default())).await.unwrap();
        ops::transfers::proof_begun(&world.ops, backup.id).await.unwrap().unwrap();
        let verdict = Verdict::Refuted("what was restored lacks items 3".into());
        ops::transfers::proof_ended(&world.ops, backup.id, verdict).await.unwrap();
        // Who may not see the app any more is not told.
        ops::collaborators::destroy(&world.ops, actor, "shop", "eve@example.com").await.unwrap();
        (world, backup)
    }

    async fn untold(&self) -> Vec<Notice> {
        store::notices::list(&mut self.ops.store().read().await.unwrap()).await.unwrap()
    }

    async fn told(&self, backup: &Transfer) -> String {
        let id = backup.id.to_string();
        let (_, lines) = ops::transfers::info(&self.ops, &self.actor, "shop", &id).await.unwrap();
        lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

#[tokio::test]
async fn all_who_may_see_the_app_and_the_operator_are_told_once() {
    let (server, mails) = mail_server().await;
    let operator = OtherSide::start(|_| Reply::With(204, String::new())).await.unwrap();
    let mail = Mail { server, from: "kigo@example.com".into() };
    let (mut world, backup) = World::with_bad_news(&operator, Some(mail)).await;
    assert_eq!(world.untold().await.len(), 4);
    world.start();
    world.until("all are told", async || world.untold().await.is_empty()).await;
    let mails = mails.lock().unwrap().clone();
    for reader in ["ada@example.com", "bob@example.com"] {
        assert_eq!(mails.matches(&format!("RCPT TO:<{reader}>")).count(), 1, "{mails}");
    }
    assert!(!mails.contains("eve@"), "{mails}");
    for words in [
        "Subject: shop: backup b001 of till CANNOT BE RESTORED",
        "what was restored lacks items 3",
        "kigo addons:backups:info b001 --app shop",
    ] {
        assert!(mails.contains(words), "{words}: {mails}");
    }
    let asked = operator.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let body = asked[0].json();
    assert_eq!(
        (&body["event"], &body["app"]["name"], &body["addon"], &body["backup"]),
        (&"backup.refuted".into(), &"shop".into(), &"till".into(), &"b001".into())
    );
    assert!(body["text"].as_str().unwrap().contains("CANNOT BE RESTORED"), "{body}");
    assert_eq!(asked[0].header("idempotency-key"), body["id"].as_str().unwrap());
    let told = world.told(&backup).await;
    for reader in ["ada@example.com", "bob@example.com", "who runs this server"] {
        assert!(told.contains(&format!("Told {reader} about it.")), "{told}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_told_by_the_next_server() {
    let operator = OtherSide::start(|_| Reply::With(500, String::new())).await.unwrap();
    let (mut world, backup) = World::with_bad_news(&operator, None).await;
    world.start();
    world.until("it was tried", async || world.untold().await.iter().all(|one| one.attempts == 1)).await;
    let told = world.told(&backup).await;
    let words =
        "Could not tell who runs this server about it, which is tried again: the webhook answered 500";
    assert!(told.contains(words), "{told}");
    world.kill().await;
    let mut write = world.ops.store().write().await.unwrap();
    let mut waiting = store::notices::list(&mut write).await.unwrap().remove(0);
    assert!(waiting.retry_at.is_some_and(|at| at > world.ops.now()));
    waiting.retry_at = None;
    store::notices::update(&mut write, &waiting).await.unwrap();
    write.commit().await.unwrap();
    operator.answers(|_| Reply::With(200, String::new()));
    world.start();
    world.until("it is told", async || world.untold().await.is_empty()).await;
    let ids: Vec<_> = operator.asked().iter().map(|one| one.header("idempotency-key").to_owned()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert!(world.told(&backup).await.contains("Told who runs this server about it."));
}

#[tokio::test]
async fn what_nobody_takes_for_days_is_given_up_and_told_in_the_log() {
    let operator = OtherSide::start(|_| Reply::Cut).await.unwrap();
    let (mut world, _) = World::with_bad_news(&operator, None).await;
    let mut write = world.ops.store().write().await.unwrap();
    let mut old = store::notices::list(&mut write).await.unwrap().remove(0);
    store::notices::delete(&mut write, old.id).await.unwrap();
    old.created_at -= jiff::SignedDuration::from_hours(72);
    old.attempts = 70;
    store::notices::insert(&mut write, &old).await.unwrap();
    write.commit().await.unwrap();
    world.start();
    world.until("it is given up", async || world.untold().await.is_empty()).await;
    let app = ops::apps::info(&world.ops, &world.actor, "shop").await.unwrap().app;
    let log = world.log(&app).await;
    let line = "heroku[backups]: Could not tell who runs this server and gave up (";
    assert!(log.iter().any(|text| text.starts_with(line)), "{log:#?}");
}
