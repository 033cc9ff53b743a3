//! Accounts, tokens, sessions and keys.

use super::*;
use crate::accounts::{self, Bootstrap, Create};
use crate::{authorizations, keys, rate_limits, sessions};

#[tokio::test]
async fn a_new_installation_gets_one_administrator_and_only_once() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let store = Store::open(folder.path(), Keys::load(folder.path(), None).unwrap()).await.unwrap();
    let ops = Ops::new(store, Settings::default(), Arc::new(Lines::default()));
    let made = accounts::bootstrap(&ops, Bootstrap::default()).await.unwrap().unwrap();
    assert_eq!((made.account.email.as_str(), made.account.admin), ("admin@localhost", true));
    let by_password = accounts::log_in(&ops, "Admin@localhost", &made.password).await.unwrap();
    let by_token = authorizations::authenticate(&ops, &made.token).await.unwrap();
    assert_eq!(by_password.account.id, by_token.account.id);
    assert!(by_password.account.last_login.is_some());
    assert!(accounts::bootstrap(&ops, Bootstrap::default()).await.unwrap().is_none());
}

#[tokio::test]
async fn wrong_credentials_are_refused_alike() {
    let world = World::new().await;
    let refused = "401 unauthorized Invalid credentials provided.";
    assert_eq!(refusal(accounts::log_in(&world.ops, "admin@example.com", "wrong").await), refused);
    assert_eq!(refusal(accounts::log_in(&world.ops, "nobody@example.com", PASSWORD).await), refused);
    assert_eq!(refusal(accounts::log_in(&world.ops, "admin@example.com", "").await), refused);
    for token in ["", "undefined", "KIGO-0000", PASSWORD] {
        assert_eq!(refusal(authorizations::authenticate(&world.ops, token).await), refused);
    }
    // An account without a password is let in by tokens only.
    world.person("tokens").await;
    assert_eq!(refusal(accounts::log_in(&world.ops, "tokens@example.com", "").await), refused);
}

#[tokio::test]
async fn administrators_make_accounts() {
    let world = World::new().await;
    let create =
        |email: &str, password: &str| Create { email: email.into(), name: None, password: password.into() };
    let made = accounts::create(&world.ops, &world.admin, create("New@Example.com", PASSWORD)).await.unwrap();
    let new = accounts::log_in(&world.ops, "new@example.com", PASSWORD).await.unwrap();
    assert_eq!((made.id, new.account.admin), (new.account.id, false));
    for (actor, input, expected) in [
        (&new, create("x@example.com", PASSWORD), "403 forbidden Only the administrator"),
        (
            &world.admin,
            create("new@example.com", PASSWORD),
            "422 invalid_params Email address is already in use.",
        ),
        (&world.admin, create("nonsense", PASSWORD), "422 invalid_params Email is not a valid"),
        (&world.admin, create("x@example.com", "short"), "422 invalid_params Password must have at least 8"),
    ] {
        let text = refusal(accounts::create(&world.ops, actor, input).await);
        assert!(text.starts_with(expected), "{text}");
    }
    assert_eq!(accounts::list(&world.ops, &world.admin).await.unwrap().len(), 2);
    assert!(accounts::list(&world.ops, &new).await.is_err());
    // One sees oneself and, unless an administrator, nobody else.
    assert_eq!(accounts::info(&world.ops, &new, "~").await.unwrap().id, made.id);
    let other = accounts::info(&world.ops, &new, "admin@example.com").await;
    assert_eq!(refusal(other), "404 not_found Couldn't find that account.");
    assert!(accounts::info(&world.ops, &world.admin, "new@example.com").await.is_ok());
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_the_old_one() {
    let world = World::new().await;
    let change = async |old: Option<&str>, new: &str| {
        accounts::set_password(&world.ops, &world.admin, "~", old, new).await
    };
    let wrong = "422 invalid_params The current password is not right.";
    assert_eq!(refusal(change(None, "another password").await), wrong);
    assert_eq!(refusal(change(Some("x"), "another password").await), wrong);
    change(Some(PASSWORD), "another password").await.unwrap();
    assert!(accounts::log_in(&world.ops, "admin@example.com", PASSWORD).await.is_err());
    assert!(accounts::log_in(&world.ops, "admin@example.com", "another password").await.is_ok());
}

#[tokio::test]
async fn an_account_can_be_deleted_when_nothing_depends_on_it() {
    let world = World::new().await;
    let person = world.person("person").await;
    let token = world.token(&person, &["global"]).await;
    let input = crate::apps::Create { name: Some("theirs".into()), ..Default::default() };
    crate::apps::create(&world.ops, &person, input).await.unwrap();
    assert_eq!(
        refusal(accounts::destroy(&world.ops, &person, "~").await),
        "422 invalid_params This account owns apps (theirs). Destroy them first."
    );
    crate::apps::destroy(&world.ops, &person, "theirs").await.unwrap();
    accounts::destroy(&world.ops, &person, "~").await.unwrap();
    assert!(sessions::list(&world.ops, &token).await.unwrap().is_empty());
    let last = accounts::destroy(&world.ops, &world.admin, "~").await;
    assert!(refusal(last).contains("last administrator"));
}

#[tokio::test]
async fn tokens_work_until_they_run_out_or_are_ended() {
    let world = World::new().await;
    let create = |expires_in| authorizations::Create { expires_in, ..Default::default() };
    let short = authorizations::create(&world.ops, &world.admin, create(Some(60))).await.unwrap();
    let long = authorizations::create(&world.ops, &world.admin, create(None)).await.unwrap();
    assert!(!format!("{short:?}").contains(&short.token), "a token in a log line");
    assert!(short.token.ends_with(&short.authorization.token_hint));
    assert!(authorizations::authenticate(&world.ops, &short.token).await.is_ok());
    world.pass(60);
    assert!(authorizations::authenticate(&world.ops, &short.token).await.is_err());

    let again = authorizations::regenerate(&world.ops, &world.admin, &long.authorization.id.to_string())
        .await
        .unwrap();
    assert!(authorizations::authenticate(&world.ops, &long.token).await.is_err());
    assert!(authorizations::authenticate(&world.ops, &again.token).await.is_ok());
    authorizations::destroy(&world.ops, &world.admin, &again.authorization.token_id.to_string())
        .await
        .unwrap();
    assert!(authorizations::authenticate(&world.ops, &again.token).await.is_err());

    // The one that ran out goes when another is made.
    authorizations::create(&world.ops, &world.admin, create(None)).await.unwrap();
    let list = authorizations::list(&world.ops, &world.admin).await.unwrap();
    assert!(!list.iter().any(|one| one.id == short.authorization.id));
}

#[tokio::test]
async fn a_regenerated_token_lasts_as_long_as_the_old_one_was_meant_to() {
    let world = World::new().await;
    let input = authorizations::Create { expires_in: Some(100), ..Default::default() };
    let made = authorizations::create(&world.ops, &world.admin, input).await.unwrap();
    world.pass(90);
    let id = made.authorization.id.to_string();
    let again = authorizations::regenerate(&world.ops, &world.admin, &id).await.unwrap();
    world.pass(90);
    assert!(authorizations::authenticate(&world.ops, &again.token).await.is_ok());
    world.pass(10);
    assert!(authorizations::authenticate(&world.ops, &again.token).await.is_err());
}

#[tokio::test]
async fn authorizations_are_found_among_ones_own() {
    let world = World::new().await;
    let other = world.person("other").await;
    let theirs = authorizations::create(&world.ops, &other, authorizations::Create::default()).await.unwrap();
    let api_key = authorizations::info(&world.ops, &world.admin, "~").await.unwrap();
    assert_eq!(api_key.description, "Long-lived user authorization");
    let none = "404 not_found Couldn't find that authorization.";
    let id = theirs.authorization.id.to_string();
    for identity in [id.as_str(), "x", ""] {
        assert_eq!(refusal(authorizations::info(&world.ops, &world.admin, identity).await), none);
        assert_eq!(refusal(authorizations::destroy(&world.ops, &world.admin, identity).await), none);
    }
    // This one was made without an API key.
    assert_eq!(refusal(authorizations::info(&world.ops, &other, "~").await), none);

    let renamed = authorizations::update(&world.ops, &other, &id, Some("CI".into())).await.unwrap();
    assert_eq!(renamed.description, "CI");
    for (input, words) in [
        (
            authorizations::Create { scope: vec!["all".into()], ..Default::default() },
            "Scope \"all\" is not one of",
        ),
        (authorizations::Create { expires_in: Some(0), ..Default::default() }, "expires_in must be"),
        (authorizations::Create { expires_in: Some(i64::MAX), ..Default::default() }, "expires_in must be"),
        (
            authorizations::Create { description: Some(String::new()), ..Default::default() },
            "Description can't be",
        ),
    ] {
        let text = refusal(authorizations::create(&world.ops, &other, input).await);
        assert!(text.contains(words), "{text}");
    }
    // A token of a lesser scope makes no tokens.
    let lesser = world.token(&other, &["write-protected"]).await;
    assert!(authorizations::create(&world.ops, &lesser, authorizations::Create::default()).await.is_err());
}

#[tokio::test]
async fn a_browser_login_is_a_session_until_its_logout() {
    let world = World::new().await;
    let input = authorizations::Create::default();
    let made = authorizations::create_session(&world.ops, &world.admin, input).await.unwrap();
    let actor = authorizations::authenticate(&world.ops, &made.token).await.unwrap();
    let listed = authorizations::list(&world.ops, &actor).await.unwrap();
    assert!(!listed.iter().any(|one| one.id == made.authorization.id));
    assert_eq!(sessions::list(&world.ops, &actor).await.unwrap(), [made.authorization]);
    let none = sessions::destroy(&world.ops, &world.admin, "~").await;
    assert!(matches!(none, Err(Error::NotFound { resource: "session", .. })));
    sessions::destroy(&world.ops, &actor, "~").await.unwrap();
    assert!(authorizations::authenticate(&world.ops, &made.token).await.is_err());
}

#[tokio::test]
async fn keys_belong_to_one_account() {
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJOLDLtBmXzmoQEQ3V8a2wvS4VIGnYJ0mPs3h9n0pA5 me@laptop";
    let world = World::new().await;
    let other = world.person("other").await;
    let key = keys::create(&world.ops, &world.admin, KEY).await.unwrap();
    assert_eq!(key.comment, "me@laptop");
    assert!(refusal(keys::create(&world.ops, &other, KEY).await).contains("already exists"));
    for identity in [key.id.to_string(), key.fingerprint.clone(), key.fingerprint_md5.clone()] {
        assert_eq!(keys::info(&world.ops, &world.admin, &identity).await.unwrap(), key);
        let theirs = keys::destroy(&world.ops, &other, &identity).await;
        assert!(matches!(theirs, Err(Error::NotFound { resource: "key", .. })));
    }
    keys::destroy(&world.ops, &world.admin, &key.fingerprint).await.unwrap();
    assert!(keys::list(&world.ops, &world.admin).await.unwrap().is_empty());
}

#[tokio::test]
async fn requests_are_counted_and_come_back_with_time() {
    let world = World::with(Settings { rate_limit: 2, rate_limit_refill: 60, ..Settings::default() }).await;
    let other = world.person("other").await;
    assert_eq!(rate_limits::take(&world.ops, &world.admin).unwrap(), 1);
    assert_eq!(rate_limits::take(&world.ops, &world.admin).unwrap(), 0);
    assert!(refusal(rate_limits::take(&world.ops, &world.admin)).starts_with("429 rate_limit"));
    assert_eq!(rate_limits::remaining(&world.ops, &other), 2);
    world.pass(1);
    assert_eq!(rate_limits::remaining(&world.ops, &world.admin), 1);
    world.pass(3600);
    assert_eq!(rate_limits::remaining(&world.ops, &world.admin), 2);
}

#[tokio::test]
async fn passwords_cannot_be_tried_out() {
    let world = World::new().await;
    let attempt = async |email: &str, password: &str| {
        accounts::log_in(&world.ops, email, password).await.map_err(|error| error.id().to_owned()).map(drop)
    };
    // Whether somebody has the address makes no difference.
    for email in ["admin@example.com", "nobody@example.com"] {
        for _ in 0..20 {
            assert_eq!(attempt(email, "wrong").await, Err("unauthorized".into()), "{email}");
        }
        assert_eq!(attempt(email, "wrong").await, Err("rate_limit".into()), "{email}");
    }
    assert_eq!(
        attempt(" Admin@Example.com", PASSWORD).await,
        Err("rate_limit".into()),
        "not even the right one"
    );
    assert_eq!(attempt("other@example.com", "wrong").await, Err("unauthorized".into()), "each has its own");
    world.pass(60);
    assert_eq!(attempt("admin@example.com", PASSWORD).await, Ok(()));
    for _ in 0..20 {
        assert_eq!(attempt("admin@example.com", "wrong").await, Err("unauthorized".into()), "it begins anew");
    }
    assert_eq!(attempt(&"x".repeat(255), "wrong").await, Err("unauthorized".into()));
}
