//! Tests on a real file.

use crate::*;
use domain::{
    Account, AccountId, App, AppId, AppName, ConfigVars, Drain, DrainId, Release, ReleaseId, ReleaseStatus,
};
use jiff::Timestamp;
use sqlx::Row as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn now() -> Timestamp {
    Timestamp::from_microsecond(1_700_000_000_000_000).unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir_in("/var/tmp").unwrap()
}

async fn open(folder: &Path) -> Store {
    open_with(folder, || Keys::load(folder, None).unwrap()).await.unwrap()
}

/// Waits for whoever had the folder before: a process that another test has just forked holds that
/// one's lock, too, until it begins its own program.
async fn open_with(folder: &Path, keys: impl Fn() -> Keys) -> Result<Store> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        match Store::open(folder, keys()).await {
            Err(StoreError::InUse(_)) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            opened => return opened,
        }
    }
}

fn account(email: &str) -> Account {
    Account {
        id: AccountId::new(),
        email: email.into(),
        name: None,
        admin: true,
        created_at: now(),
        updated_at: now(),
        last_login: None,
    }
}

fn app(owner: AccountId, name: &str) -> App {
    App {
        id: AppId::new(),
        name: AppName::parse(name).unwrap(),
        owner,
        maintenance: false,
        build_stack: "kigo-13".into(),
        stack: "kigo-13".into(),
        current_release: None,
        buildpack_provided_description: None,
        repo_size: None,
        slug_size: None,
        released_at: None,
        created_at: now(),
        updated_at: now(),
    }
}

async fn add_account(store: &Store, email: &str) -> Account {
    let account = account(email);
    let mut write = store.write().await.unwrap();
    accounts::insert(&mut write, &account, None).await.unwrap();
    write.commit().await.unwrap();
    account
}

async fn add_app(store: &Store, name: &str) -> App {
    let owner = add_account(store, &format!("{name}@example.com")).await;
    let app = app(owner.id, name);
    let mut write = store.write().await.unwrap();
    apps::insert(&mut write, &app).await.unwrap();
    write.commit().await.unwrap();
    app
}

async fn count(store: &Store) -> usize {
    accounts::list(&mut store.read().await.unwrap()).await.unwrap().len()
}

fn vars(value: &str) -> ConfigVars {
    ConfigVars([("SECRET".to_owned(), value.to_owned())].into())
}

#[tokio::test]
async fn a_commit_lasts_and_a_dropped_transaction_does_not() {
    let folder = folder();
    let store = open(folder.path()).await;
    let kept = add_account(&store, "kept@example.com").await;
    let mut write = store.write().await.unwrap();
    accounts::insert(&mut write, &account("dropped@example.com"), None).await.unwrap();
    drop(write);
    assert_eq!(count(&store).await, 1);
    drop(store);

    let store = open(folder.path()).await;
    let found = accounts::by_email(&mut store.read().await.unwrap(), "kept@example.com").await.unwrap();
    assert_eq!(found, Some(kept));
}

#[tokio::test]
async fn a_snapshot_does_not_change_under_its_reader() {
    let folder = folder();
    let store = open(folder.path()).await;
    add_account(&store, "one@example.com").await;
    let mut snapshot = store.read().await.unwrap();
    assert_eq!(accounts::list(&mut snapshot).await.unwrap().len(), 1);
    add_account(&store, "two@example.com").await;
    assert_eq!(accounts::list(&mut snapshot).await.unwrap().len(), 1);
    drop(snapshot);
    assert_eq!(count(&store).await, 2);
}

#[tokio::test]
async fn snapshots_cannot_write() {
    let folder = folder();
    let store = open(folder.path()).await;
    let mut snapshot = store.read().await.unwrap();
    let done = sqlx::query("DELETE FROM accounts").execute(snapshot.sql()).await;
    assert!(done.unwrap_err().to_string().contains("readonly"));
}

#[tokio::test]
async fn the_feed_moves_after_a_commit_and_only_for_its_tables() {
    let folder = folder();
    let store = open(folder.path()).await;
    let (mut any, mut accounts_feed, mut builds_feed) =
        (store.changes(), store.changes_of(Table::Accounts), store.changes_of(Table::Builds));
    for feed in [&mut any, &mut accounts_feed, &mut builds_feed] {
        feed.mark_unchanged();
    }
    let mut write = store.write().await.unwrap();
    accounts::insert(&mut write, &account("a@example.com"), None).await.unwrap();
    assert!(!any.has_changed().unwrap(), "told before the commit");
    drop(write);
    assert!(!any.has_changed().unwrap(), "told of what was undone");
    add_account(&store, "b@example.com").await;
    assert!(any.has_changed().unwrap() && accounts_feed.has_changed().unwrap());
    assert!(!builds_feed.has_changed().unwrap());
    any.mark_unchanged();
    store.write().await.unwrap().commit().await.unwrap();
    assert!(!any.has_changed().unwrap(), "told of nothing");
}

#[tokio::test]
async fn a_commit_whose_caller_goes_away_is_told_all_the_same() {
    let folder = folder();
    let store = open(folder.path()).await;
    let mut feed = store.changes();
    feed.mark_unchanged();
    let mut write = store.write().await.unwrap();
    accounts::insert(&mut write, &account("a@example.com"), None).await.unwrap();
    {
        let commit = std::pin::pin!(write.commit());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        // Started, then dropped.
        let _ = commit.poll(&mut context);
    }
    feed.changed().await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_wait_for_each_other() {
    let folder = folder();
    let store = open(folder.path()).await;
    let app = add_app(&store, "busy").await;
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let (store, app) = (store.clone(), app.clone());
            tokio::spawn(async move {
                let mut write = store.write().await.unwrap();
                let release = Release {
                    id: ReleaseId::new(),
                    app: app.id,
                    version: releases::next_version(&mut write, app.id).await.unwrap(),
                    description: "x".into(),
                    user: app.owner,
                    slug: None,
                    status: ReleaseStatus::Succeeded,
                    output_key: None,
                    created_at: now(),
                    updated_at: now(),
                };
                releases::insert(&mut write, &release, None).await.unwrap();
                write.commit().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let list = releases::list(&mut store.read().await.unwrap(), app.id).await.unwrap();
    assert_eq!(list.iter().map(|release| release.version).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_data_directory_has_one_user() {
    let folder = folder();
    let store = open(folder.path()).await;
    let second = Store::open(folder.path(), Keys::load(folder.path(), None).unwrap()).await;
    assert!(matches!(second, Err(StoreError::InUse(_))));
    drop(store);
    open(folder.path()).await;
}

#[tokio::test]
async fn a_wrong_or_lost_key_is_noticed_at_the_start() {
    let folder = folder();
    drop(open(folder.path()).await);
    let wrong = || Keys::parse(&"ab".repeat(32)).unwrap();
    let Err(StoreError::Key(error)) = open_with(folder.path(), wrong).await else { panic!("opened") };
    assert!(error.to_string().starts_with("the secrets were sealed with master key"), "{error}");

    std::fs::remove_file(folder.path().join("keys/master.key")).unwrap();
    let error = Keys::load(folder.path(), None).unwrap_err();
    assert!(error.to_string().contains("is missing although"), "{error}");
    assert!(!folder.path().join("keys/master.key").exists(), "a new key would hide the loss");
}

#[tokio::test]
async fn the_key_file_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let store = open(folder.path()).await;
    for file in ["keys/master.key", DATABASE_FILE, "kigo.db-wal"] {
        let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    drop(store);
    let file = folder.path().join("keys/master.key");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(Keys::load(folder.path(), None).unwrap_err().to_string().contains("can be read by others"));
}

#[tokio::test]
async fn secrets_are_not_in_the_files_and_do_not_open_in_another_row() {
    const SECRET: &str = "correct-horse-battery-staple";
    let folder = folder();
    let store = open(folder.path()).await;
    let (one, two) = (add_app(&store, "one").await, add_app(&store, "two").await);
    let mut write = store.write().await.unwrap();
    configs::insert(&mut write, one.id, &vars(SECRET)).await.unwrap();
    configs::insert(&mut write, two.id, &vars("other")).await.unwrap();
    let drain = Drain {
        id: DrainId::new(),
        app: one.id,
        url: format!("https://me:{SECRET}@example.com"),
        token: "d.1".into(),
        addon: None,
        created_at: now(),
        updated_at: now(),
    };
    drains::insert(&mut write, &drain).await.unwrap();
    write.commit().await.unwrap();

    let mut tx = store.read().await.unwrap();
    assert_eq!(configs::of_app(&mut tx, one.id).await.unwrap(), vars(SECRET));
    assert_eq!(drains::list(&mut tx, one.id).await.unwrap(), [drain]);
    drop(tx);
    for file in [DATABASE_FILE, "kigo.db-wal"] {
        let bytes = std::fs::read(folder.path().join(file)).unwrap();
        let found = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        assert!(!found, "{file} holds the secret");
    }

    // Somebody with access to the database puts the first app's secret into the second one's row.
    let mut write = store.write().await.unwrap();
    let swap = "UPDATE configs SET sealed_vars = (SELECT sealed_vars FROM configs WHERE app_id = $1) WHERE app_id = $2";
    sqlx::query(swap).bind(one.id.to_string()).bind(two.id.to_string()).execute(write.sql()).await.unwrap();
    write.commit().await.unwrap();
    let error = configs::of_app(&mut store.read().await.unwrap(), two.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Key(keys::KeyError::Damaged("configs"))), "{error:?}");
    assert!(!format!("{error:?}").contains(SECRET));
}

#[tokio::test]
async fn the_master_key_can_be_changed() {
    let folder = folder();
    let store = open(folder.path()).await;
    let app = add_app(&store, "rotated").await;
    let mut write = store.write().await.unwrap();
    configs::insert(&mut write, app.id, &vars("old")).await.unwrap();
    write.commit().await.unwrap();
    drop(store);
    let file = folder.path().join("keys/master.key");
    let old = std::fs::read_to_string(&file).unwrap();

    let rotated = Keys::rotate(folder.path()).unwrap();
    assert_eq!(rotated.ids(), Keys::load(folder.path(), None).unwrap().ids());
    let store = open(folder.path()).await;
    assert_eq!(store.rewrap().await.unwrap(), 2, "the key check and the config");
    drop(store);
    Keys::retire(folder.path()).unwrap();
    assert!(!std::fs::read_to_string(&file).unwrap().contains(old.trim()));

    let store = open(folder.path()).await;
    assert_eq!(configs::of_app(&mut store.read().await.unwrap(), app.id).await.unwrap(), vars("old"));
    drop(store);
    let retired = open_with(folder.path(), || Keys::parse(&old).unwrap()).await;
    assert!(matches!(retired, Err(StoreError::Key(_))));
}

#[tokio::test]
async fn every_sealed_column_is_known_to_the_rewrap() {
    let folder = folder();
    let store = open(folder.path()).await;
    let mut tx = store.read().await.unwrap();
    let rows = sqlx::query(
        "SELECT m.name AS t, c.name AS c FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND c.name LIKE 'sealed\\_%' ESCAPE '\\' ORDER BY 1, 2",
    )
    .fetch_all(tx.sql())
    .await
    .unwrap();
    let mut columns: Vec<(String, String)> = rows.iter().map(|row| (row.get("t"), row.get("c"))).collect();
    columns.push(("meta".into(), "value".into()));
    let mut listed = seal::listed_columns();
    columns.sort();
    listed.sort();
    assert_eq!(listed, columns);
}

#[tokio::test]
async fn a_unique_value_is_told_from_other_faults() {
    let folder = folder();
    let store = open(folder.path()).await;
    add_account(&store, "a@example.com").await;
    let mut write = store.write().await.unwrap();
    let error = accounts::insert(&mut write, &account("a@example.com"), None).await.unwrap_err();
    assert!(error.is_unique_violation());
    let orphan = apps::insert(&mut write, &app(AccountId::new(), "orphan")).await.unwrap_err();
    assert!(!orphan.is_unique_violation());
}

/// Where the test below tells its child process to work.
const CHILD: &str = "KIGO_STORE_TEST_CHILD";

#[tokio::test]
async fn a_killed_process_leaves_what_it_committed_and_nothing_else() {
    let folder = folder();
    drop(open(folder.path()).await);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::child_that_is_killed", "--ignored", "--nocapture"])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let told = output.lines().map_while(std::result::Result::ok).any(|line| line.contains("in the middle"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told, "the child ended early");

    let store = open(folder.path()).await;
    let accounts = accounts::list(&mut store.read().await.unwrap()).await.unwrap();
    let emails: Vec<_> = accounts.iter().map(|account| account.email.as_str()).collect();
    assert_eq!(emails, ["committed@example.com"]);
    add_account(&store, "after@example.com").await;
}

#[tokio::test]
#[ignore = "run by a_killed_process_leaves_what_it_committed_and_nothing_else"]
#[expect(clippy::print_stdout, reason = "tells the parent process when to kill")]
async fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let store = open(Path::new(&folder)).await;
    add_account(&store, "committed@example.com").await;
    let mut write = store.write().await.unwrap();
    accounts::insert(&mut write, &account("torn@example.com"), None).await.unwrap();
    // Larger than the page cache, so that uncommitted pages reach the file.
    sqlx::query("INSERT INTO meta (name, value) VALUES ('ballast', zeroblob(16000000))")
        .execute(write.sql())
        .await
        .unwrap();
    println!("in the middle");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_transaction_that_sqlite_ends_itself_blocks_nobody_after_it() {
    let folder = folder();
    let store = open(folder.path()).await;
    let mut write = store.write().await.unwrap();
    // What it does when the disk is full.
    sqlx::query("ROLLBACK").execute(write.sql()).await.unwrap();
    drop(write);
    let mut read = store.read().await.unwrap();
    sqlx::query("ROLLBACK").execute(read.sql()).await.unwrap();
    drop(read);
    let kept = add_account(&store, "kept@example.com").await;
    for _ in 0..READERS {
        let mut read = store.read().await.unwrap();
        assert!(accounts::by_id(&mut read, kept.id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_full_disk_is_told_from_other_failures() {
    let folder = folder();
    let store = open(folder.path()).await;
    add_account(&store, "first@example.com").await;
    let mut write = store.write().await.unwrap();
    sqlx::query("PRAGMA max_page_count = 1").execute(write.sql()).await.unwrap();
    let name = Some("x".repeat(100_000));
    let large = Account { name, ..account("large@example.com") };
    let full = accounts::insert(&mut write, &large, None).await.unwrap_err();
    assert!(full.is_disk_full(), "{full:?}");
    drop(write);
    let mut write = store.write().await.unwrap();
    let twice = accounts::insert(&mut write, &account("first@example.com"), None).await.unwrap_err();
    assert!(!twice.is_disk_full(), "{twice:?}");
}
