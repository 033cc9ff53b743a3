//! Forks, rollbacks and followers: what can be ordered, what they take over, and what becomes of them.

use super::addons::make;
use super::*;
use crate::addons::archives::{self, Taken};
use crate::addons::{self, AddonInfo, Create};
use crate::credentials;
use domain::{AddonId, AddonState, Credential, ErrandKind};
use jiff::{SignedDuration, Timestamp};

const CATALOG: &str = r#"
name = "db"
title = "Database"
summary = "Keeps."
default_plan = "own"
[attachment]
first = "DATABASE"
further = "DB"
[config]
URL = "db://{user}:{password}@{host}:{port}"
[values]
user = { random = 8, each_credential = true }
password = { random = 8, each_credential = true, rotated = true }
[run]
packages = ["db"]
port = 1234
start = "exec db"
shared = { memory = 64, disk = 64 }
values = { admin = { random = 8 } }
[hooks]
deprovision = "drop"
archive = "copy"
fork = "fork"
follow = "follow"
unfollow = "part"
[[plans]]
name = "small"
title = "Small"
shared = true
[[plans]]
name = "own"
title = "Own"
memory = 128
disk = 128
rollback = 4
archive = 64
[[plans]]
name = "less"
title = "Less"
memory = 64
disk = 64
"#;

async fn world() -> World {
    let mut catalog = ::addons::Catalog::default();
    catalog.add("test", CATALOG).unwrap();
    World::with(Settings { catalog: Arc::new(catalog), ..Settings::default() }).await
}

/// `--fork DATABASE --rollback` as the CLI says it.
fn order(plan: &str, options: &[(&str, &str)]) -> Create {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Create { plan: plan.into(), options: options.collect(), ..Create::default() }
}

async fn credentials_of(world: &World, addon: AddonId) -> Vec<Credential> {
    store::credentials::of_addon(&mut world.ops.store().read().await.unwrap(), addon).await.unwrap()
}

async fn values_of(world: &World, info: &AddonInfo) -> BTreeMap<String, String> {
    let mut tx = world.ops.store().read().await.unwrap();
    store::instances::by_id(&mut tx, info.addon.instance.unwrap()).await.unwrap().unwrap().values
}

async fn errands(world: &World, addon: AddonId) -> Vec<domain::Errand> {
    store::errands::of_addon(&mut world.ops.store().read().await.unwrap(), addon).await.unwrap()
}

/// What the loop does with what it is asked for.
async fn unfollowed(world: &World, addon: AddonId) {
    let errands = errands(world, addon).await;
    assert_eq!(errands.iter().map(|one| one.kind).collect::<Vec<_>>(), [ErrandKind::Unfollow]);
    addons::errand_done(&world.ops, errands[0].id).await.unwrap();
}

#[tokio::test]
async fn orders_that_cannot_be_met_are_told_why() {
    let world = world().await;
    let app = world.app("shop").await;
    make(&world, &app, order("db:own", &[])).await;
    make(&world, &app, Create { attachment: Some("TINY".into()), ..order("db:small", &[]) }).await;
    let follower = [("follow", "DATABASE")];
    make(&world, &app, Create { attachment: Some("TWIN".into()), ..order("db:own", &follower) }).await;
    let fork = ("fork", "DATABASE");
    let back = ("rollback", "true");
    for (plan, options, why) in [
        (
            "own",
            &[("colour", "red")][..],
            "does not know the option --colour. Its options are: --fork, --rollback, --to, --by, --follow",
        ),
        ("own", &[fork, ("follow", "DATABASE")], "not both"),
        ("own", &[("fork", "true")], "Say which add-on to fork"),
        ("own", &[back, ("by", "1 hour")], "Say of what with --fork"),
        ("own", &[fork, back], "Say to when"),
        ("own", &[fork, ("by", "1 hour")], "belong to --rollback"),
        ("own", &[("follow", "DATABASE"), back, ("by", "1 hour")], "cannot be rolled back: use --fork"),
        ("own", &[fork, back, ("to", "noon")], "is no time"),
        ("own", &[fork, back, ("by", "a while")], "is no span of time"),
        ("own", &[fork, back, ("by", "1 hour")], "has no rollback yet"),
        ("own", &[("fork", "NOTHING")], "Couldn't find that add-on"),
        ("own", &[("fork", "db://a:b@c/d")], "leads to no add-on of this installation"),
        ("own", &[("fork", "TINY")], "share a server"),
        ("own", &[("fork", "TWIN")], "is itself a follower of"),
        ("own", &[("follow", "TWIN")], "is itself a follower of"),
        ("small", &[fork], "they share a server"),
        ("less", &[fork], "has less disk than Own"),
    ] {
        let order = order(&format!("db:{plan}"), options);
        let text = refusal(addons::create(&world.ops, &world.admin, &app, order).await);
        assert!(text.contains(why), "{options:?}: {text}");
    }
}

#[tokio::test]
async fn a_fork_takes_over_the_name_and_no_password() {
    let world = world().await;
    let app = world.app("shop").await;
    let main = make(&world, &app, order("db:own", &[])).await;
    let other = world.app("blog").await;
    for source in ["shop::DATABASE", "shop::DATABASE_URL", main.addon.name.as_str()] {
        let fork = make(&world, &other, order("db:own", &[("fork", source)])).await;
        let [old, new] = [&main, &fork].map(|info| info.addon.id);
        let (old, new) = (credentials_of(&world, old).await, credentials_of(&world, new).await);
        assert_eq!((old.len(), new.len()), (1, 1));
        assert_eq!(old[0].values["user"], new[0].values["user"]);
        assert_ne!(old[0].values["password"], new[0].values["password"]);
        assert_ne!(values_of(&world, &main).await, values_of(&world, &fork).await);
    }
}

#[tokio::test]
async fn a_rollback_is_to_a_second_of_the_past_that_is_kept() {
    let world = world().await;
    let app = world.app("shop").await;
    let main = make(&world, &app, order("db:own", &[])).await;
    let now = world.ops.now();
    let ago = |hours: i64| now - SignedDuration::from_hours(hours);
    let taken = Taken { taken_at: ago(2), earliest: ago(300), bytes: 5 };
    archives::taken(&world.ops, main.addon.id, taken).await.unwrap();
    let try_to = async |options: &[(&str, &str)]| {
        let options = [&[("fork", "DATABASE"), ("rollback", "true")], options].concat();
        addons::create(&world.ops, &world.admin, &app, order("db:own", &options)).await
    };
    let target = async |info: AddonInfo| {
        let mut tx = world.ops.store().read().await.unwrap();
        store::origins::of_addon(&mut tx, info.addon.id).await.unwrap().unwrap().to
    };
    let second = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap();
    let text = ago(3).to_string();
    assert_eq!(target(try_to(&[("to", &text)]).await.unwrap()).await, Some(second(ago(3))));
    let to = target(try_to(&[("by", "3 hours")]).await.unwrap()).await.unwrap();
    assert!(second(ago(3)) <= to && to <= second(world.ops.now()), "{to}");
    // The plan has four days, whatever else is still there.
    for time in [ago(97), ago(-1)] {
        let text = refusal(try_to(&[("to", &time.to_string())]).await);
        assert!(text.contains("can be rolled back to a time from"), "{text}");
    }
    archives::torn(&world.ops, main.addon.id).await.unwrap();
    assert!(refusal(try_to(&[("by", "1 hour")]).await).contains("no rollback yet"));
}

#[tokio::test]
async fn a_follower_has_what_its_leader_has_until_it_stands_alone() {
    let world = world().await;
    let app = world.app("shop").await;
    let main = make(&world, &app, order("db:own", &[])).await;
    let twin = make(&world, &app, order("db:own", &[("follow", "DATABASE")])).await;
    assert_eq!(values_of(&world, &main).await, values_of(&world, &twin).await);
    let passwords = async || {
        let (main, twin) =
            (credentials_of(&world, main.addon.id).await, credentials_of(&world, twin.addon.id).await);
        let values = |list: &[Credential]| list.iter().map(|one| one.values.clone()).collect::<Vec<_>>();
        (values(&main), values(&twin))
    };
    let (leader, follower) = passwords().await;
    assert_eq!(leader, follower);
    let (name, twin_name) = (main.addon.name.as_str(), twin.addon.name.as_str());
    let text = refusal(credentials::rotate(&world.ops, &world.admin, twin_name, None).await);
    assert!(text.contains("is a follower and read-only: do this at"), "{text}");

    credentials::create(&world.ops, &world.admin, name, "reports", None).await.unwrap();
    credentials::rotate(&world.ops, &world.admin, name, Some("default")).await.unwrap();
    for credential in credentials_of(&world, main.addon.id).await {
        credentials::done(&world.ops, &credential).await.unwrap();
    }
    let (leader, follower) = passwords().await;
    assert_eq!((leader.len(), &leader), (2, &follower));
    credentials::destroy(&world.ops, &world.admin, name, "reports").await.unwrap();
    let reports = credentials_of(&world, main.addon.id).await.into_iter().find(|one| one.removed).unwrap();
    credentials::done(&world.ops, &reports).await.unwrap();
    let (leader, follower) = passwords().await;
    assert_eq!((leader.len(), &leader), (1, &follower));

    assert!(refusal(addons::unfollow(&world.ops, &world.admin, name).await).contains("is not a follower"));
    addons::unfollow(&world.ops, &world.admin, twin_name).await.unwrap();
    unfollowed(&world, twin.addon.id).await;
    let pending = credentials_of(&world, twin.addon.id).await;
    assert!(pending.iter().all(Credential::is_rotated), "{pending:?}");
    for credential in pending {
        credentials::done(&world.ops, &credential).await.unwrap();
    }
    let (leader, alone) = passwords().await;
    assert_ne!(leader, alone);
    assert!(
        refusal(addons::unfollow(&world.ops, &world.admin, twin_name).await).contains("is not a follower")
    );
}

#[tokio::test]
async fn a_leader_goes_when_its_followers_may_stand_alone() {
    let world = world().await;
    let (shop, blog) = (world.app("shop").await, world.app("blog").await);
    let main = make(&world, &shop, order("db:own", &[])).await;
    let near = make(&world, &shop, order("db:own", &[("follow", "DATABASE")])).await;
    let far = make(&world, &blog, order("db:own", &[("follow", &main.addon.name)])).await;
    let destroy =
        async |force| addons::destroy(&world.ops, &world.admin, &shop, &main.addon.name, force).await;
    let text = refusal(destroy(false).await);
    assert!(text.contains(&near.addon.name) && text.contains(&far.addon.name), "{text}");
    destroy(true).await.unwrap();
    unfollowed(&world, near.addon.id).await;
    unfollowed(&world, far.addon.id).await;

    // The app takes its own followers with it, and lets those of others go.
    let main = make(&world, &shop, order("db:own", &[])).await;
    let near = make(&world, &shop, order("db:own", &[("follow", &main.addon.name)])).await;
    let far = make(&world, &blog, order("db:own", &[("follow", &main.addon.name)])).await;
    crate::apps::destroy(&world.ops, &world.admin, &shop).await.unwrap();
    assert!(errands(&world, near.addon.id).await.is_empty());
    unfollowed(&world, far.addon.id).await;
}

#[tokio::test]
async fn a_fork_that_cannot_be_made_says_what_its_hook_said() {
    let world = world().await;
    let app = world.app("shop").await;
    make(&world, &app, order("db:own", &[])).await;
    let fork = addons::create(&world.ops, &world.admin, &app, order("db:own", &[("fork", "DATABASE")]))
        .await
        .unwrap();
    let instance = fork.addon.instance.unwrap();
    addons::instance_failed(&world.ops, instance, "no copy is left", world.ops.now()).await.unwrap();
    addons::instance_failed(&world.ops, instance, "", world.ops.now()).await.unwrap();
    let info = addons::info(&world.ops, &world.admin, &fork.addon.name).await.unwrap();
    assert_eq!(
        (info.addon.state, info.addon.failure.as_deref()),
        (AddonState::Provisioning, Some("no copy is left"))
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_archive_is_said_once() {
    let world = world().await;
    let app = world.app("shop").await;
    let id = make(&world, &app, order("db:own", &[])).await.addon.id;
    let ops = &world.ops;
    let now = ops.now();
    let taken = Taken { taken_at: now, earliest: now, bytes: 5 };
    let known = async || {
        store::archives::of_addon(&mut ops.store().read().await.unwrap(), id).await.unwrap().unwrap()
    };
    archives::not_taken(ops, id, "no room", now).await.unwrap();
    archives::not_taken(ops, id, "no room", now).await.unwrap();
    // Its reason is not that of changes which can be kept.
    archives::failing(ops, id, None).await.unwrap();
    let archive = known().await;
    assert_eq!((archive.attempts, archive.failure.as_deref()), (2, Some("no room")));
    archives::taken(ops, id, taken).await.unwrap();
    for _ in 0..2 {
        archives::failing(ops, id, Some("full")).await.unwrap();
    }
    assert_eq!(known().await.failure.as_deref(), Some("full"));
    for _ in 0..2 {
        archives::failing(ops, id, None).await.unwrap();
        archives::torn(ops, id).await.unwrap();
    }
    let archive = known().await;
    assert_eq!((archive.taken_at, archive.earliest, archive.failure), (None, None, None));
}
