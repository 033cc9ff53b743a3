//! `kigo ci:run`: what is sent, and how it ends.

use super::*;
use std::process::Command;

fn git(folder: &Path, words: &[&str]) -> String {
    let identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"];
    let done = Command::new("git").args(identity).args(words).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{words:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// A repository with one commit.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "--initial-branch=topic"]);
    std::fs::write(folder.path().join("app.json"), "{}").unwrap();
    git(folder.path(), &["add", "--all"]);
    git(folder.path(), &["commit", "--quiet", "--message", "first"]);
    folder
}

fn build(url: &str, status: &str, exit_code: Option<i32>) -> Value {
    json!({
        "id": ID, "app": {"id": ID}, "branch": "topic", "exit_code": exit_code,
        "output_stream_url": format!("{url}/streams/builds/x"), "source_blob": {"url": "x"},
        "stack": "kigo-13", "status": status, "user": user(), "created_at": TIME, "updated_at": TIME,
    })
}

/// A server on which tests end like this.
async fn world(status: &str, exit_code: Option<i32>) -> (Api, tempfile::TempDir) {
    // Addresses in answers are known only once it listens.
    let first =
        Api::start(&[("PUT /uploads/sources/a", json!({})), ("GET /streams/builds/x", json!("printed"))])
            .await;
    let url = first.settings.api_url.clone();
    let source =
        json!({"source_blob": {"get_url": "http://get", "put_url": format!("{url}/uploads/sources/a")}});
    let mut api = Api::start(&[
        ("POST /sources", source),
        ("POST /apps/my-app/test-builds", build(&url, "pending", None)),
        (&format!("GET /apps/my-app/test-builds/{ID}"), build(&url, status, exit_code)),
    ])
    .await;
    let folder = repository();
    api.settings.directory = Some(folder.path().to_owned());
    // Kept for what was asked of it.
    api.requests.lock().unwrap().clear();
    (api, folder)
}

#[tokio::test]
async fn it_ends_as_the_tests_did() {
    for (status, exit_code, expected) in [
        ("succeeded", Some(0), Ok(Ending::Done)),
        ("failed", Some(3), Ok(Ending::Status(3))),
        ("failed", Some(300), Ok(Ending::Status(1))),
        ("errored", None, Err("The tests did not run.")),
        ("cancelled", None, Err("The tests were cancelled.")),
    ] {
        let (api, folder) = world(status, exit_code).await;
        let words = ["ci:run", "-a", "my-app", "--env", "A=1;B=2"];
        let (outcome, out, err) = run_words(&words, api.settings.clone()).await;
        match (&outcome, expected) {
            (Ok(ending), Ok(expected)) => assert_eq!(*ending, expected),
            (Err(words), Err(expected)) => assert!(words.contains(expected), "{words}"),
            _ => panic!("{status}: {outcome:?} {err}"),
        }
        assert!(out.contains("printed"), "{out}");
        let sent = api.sent("POST /apps/my-app/test-builds");
        let commit = git(folder.path(), &["rev-parse", "HEAD"]);
        assert_eq!(sent["source_blob"]["version"], commit);
        assert_eq!((&sent["branch"], &sent["env"]), (&json!("topic"), &json!({"A": "1", "B": "2"})));
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_told() {
    let (mut api, folder) = world("succeeded", Some(0)).await;
    std::fs::write(folder.path().join("new"), "").unwrap();
    let (_, err) = api.ok(&["ci:run", "-a", "my-app"]).await;
    assert!(err.contains("What is not committed is not tested."), "{err}");
    assert!(api.fails(&["ci:run", "-a", "my-app", "-e", "A"]).await.contains("not of the form KEY=value"));
    let empty = tempfile::tempdir().unwrap();
    api.settings.directory = Some(empty.path().to_owned());
    assert!(api.fails(&["ci:run", "-a", "my-app"]).await.contains("no git repository here"));
    git(empty.path(), &["init", "--quiet"]);
    assert!(api.fails(&["ci:run", "-a", "my-app"]).await.contains("Nothing is committed here yet."));
}
