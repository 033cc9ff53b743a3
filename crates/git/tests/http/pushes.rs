//! One push at a time.

use crate::fixture::{Outcome, Server, TOKEN, git_in};
use bytes::Bytes;
use git::Progress;

#[tokio::test]
async fn a_push_is_built_while_its_output_shows() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let commit = work.commit("lib/code.js", "hello").await;
    let push = work.push();
    let build = server.build().await;
    assert_eq!(build.build.commit, commit);
    assert_eq!(build.build.description, "Write lib/code.js");
    assert_eq!(build.build.target.name.as_str(), "my-app");
    assert_eq!(build.build.pusher.email, "me@example.com");
    assert_eq!(build.files["Procfile"], "web: a");
    assert_eq!(build.files["lib/code.js"], "hello");
    assert_eq!(server.remote_ref("refs/heads/main").await, None, "the ref moved before the build ended");
    build.print("-----> Building on the kigo-13 stack\n").await;
    build.print("       half a ").await;
    build.print("line €\n       Released v7\n").await;
    build.succeed().await;
    let words = push.await.unwrap().ok();
    assert_eq!(
        Outcome::remote(&words),
        "Compressing source files... done.\n\
         Building source:\n\n\
         -----> Building on the kigo-13 stack\n       half a line €\n       Released v7\n\n\
         Verifying deploy... done.\n"
    );
    assert!(words.contains("* [new branch]      main -> main"), "{words}");
    assert_eq!(server.remote_ref("refs/heads/main").await, Some(commit.clone()));
    assert!(work.git(&["push", "kigo", "main"]).await.ok().contains("Everything up-to-date"));
    server.assert_no_build();

    // What was pushed can be cloned.
    let url = server.url(&format!("x:{TOKEN}"), "my-app");
    git_in(server.dir.path(), &["clone", "--quiet", &url, "copy"]).await.ok();
    assert_eq!(std::fs::read_to_string(server.dir.path().join("copy/lib/code.js")).unwrap(), "hello");
}

#[tokio::test]
async fn output_shows_while_it_happens() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let mut command = work.command(&["push", "kigo", "main"]);
    let mut push = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(push.stderr.take().unwrap()).lines();
    let build = server.build().await;
    build.print("-----> First\n").await;
    // The build waits for what the client has seen: output that is held back would hang here.
    while !lines.next_line().await.unwrap().unwrap().contains("-----> First") {}
    build.print("-----> Second\n").await;
    while !lines.next_line().await.unwrap().unwrap().contains("-----> Second") {}
    build.succeed().await;
    while lines.next_line().await.unwrap().is_some() {}
    assert!(push.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_failed_build_moves_no_ref_and_can_be_tried_again() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    for _ in 0..2 {
        let push = work.push();
        let build = server.build().await;
        build.print(" !     Push rejected, failed to compile Node.js app.\n\n !     Push failed\n").await;
        build.step(Progress::Built { succeeded: false }).await;
        let words = push.await.unwrap().fails();
        assert!(
            Outcome::remote(&words).ends_with(
                " !     Push rejected, failed to compile Node.js app.\n\n !     Push failed\n\
                 Verifying deploy...\n\n!\tPush rejected to my-app.\n\n"
            ),
            "{words}"
        );
        assert!(words.contains("! [remote rejected] main -> main (pre-receive hook declined)"), "{words}");
        assert_eq!(server.remote_ref("refs/heads/main").await, None);
    }
    // Nothing of what was received is kept.
    server.settled(2).await;
    let objects = std::fs::read_dir(server.repository().join("objects")).unwrap();
    let names: Vec<_> = objects.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "info" || name == "pack"), "{names:?}");
}

#[tokio::test]
async fn the_release_command_shows_and_its_failure_keeps_the_push() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    for (succeeded, word) in [(true, "done"), (false, "failed")] {
        let commit = work.commit("file", word).await;
        let push = work.push();
        let build = server.build().await;
        build.print("-----> Launching...\n").await;
        build.step(Progress::Built { succeeded: true }).await;
        build.step(Progress::ReleaseCommand).await;
        build.step(Progress::ReleaseOutput(Bytes::from_static(b"migrating"))).await;
        build.step(Progress::Released { succeeded }).await;
        let words = push.await.unwrap().ok();
        let expected = format!(
            "-----> Launching...\n\nVerifying deploy... done.\nRunning release command...\n\
             migrating\nWaiting for release.... {word}.\n"
        );
        assert!(Outcome::remote(&words).ends_with(&expected), "{words}");
        assert_eq!(server.remote_ref("refs/heads/main").await, Some(commit));
    }
}

#[tokio::test]
async fn only_main_and_master_are_built() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let commit = work.head().await;
    let words = work.git(&["push", "kigo", "main:feature"]).await.ok();
    assert_eq!(Outcome::remote(&words), "Pushed to non-main branch, skipping build.\n");
    assert_eq!(server.remote_ref("refs/heads/feature").await, Some(commit.clone()));
    work.git(&["tag", "v1"]).await.ok();
    work.git(&["push", "kigo", "v1"]).await.ok();
    let words = work.git(&["push", "kigo", ":feature"]).await.ok();
    assert!(!words.contains("skipping build"), "{words}");
    assert_eq!(server.remote_ref("refs/heads/feature").await, None);
    server.assert_no_build();

    let push = work.begin(&["push", "kigo", "main:master"]);
    server.build().await.succeed().await;
    push.await.unwrap().ok();
    // The branch, the tag, the deletion and master.
    server.settled(4).await;
    let url = server.url(&format!("x:{TOKEN}"), "my-app");
    git_in(server.dir.path(), &["clone", "--quiet", &url, "of-master"]).await.ok();
    assert!(server.dir.path().join("of-master/Procfile").exists(), "the clone is empty");

    let words = work.git(&["push", "kigo", ":master"]).await.fails();
    assert!(words.contains("The branch master is deployed and cannot be deleted."), "{words}");
    assert_eq!(server.remote_ref("refs/heads/master").await, Some(commit));
}

#[tokio::test]
async fn a_tag_must_be_peeled() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    work.git(&["tag", "--annotate", "--message", "one", "v1"]).await.ok();
    let words = work.git(&["push", "kigo", "v1:refs/heads/main"]).await.fails();
    assert!(words.contains("What was pushed is a tag, not a commit."), "{words}");
    let push = work.begin(&["push", "kigo", "v1^{}:refs/heads/main"]);
    server.build().await.succeed().await;
    push.await.unwrap().ok();
}

#[tokio::test]
async fn a_forced_push_replaces_history() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let push = work.push();
    server.build().await.succeed().await;
    push.await.unwrap().ok();
    work.git(&["commit", "--quiet", "--amend", "--message", "Otherwise"]).await.ok();
    assert!(work.git(&["push", "kigo", "main"]).await.fails().contains("non-fast-forward"));
    server.assert_no_build();
    let push = work.begin(&["push", "--force", "kigo", "main"]);
    let build = server.build().await;
    assert_eq!(build.build.description, "Otherwise");
    build.succeed().await;
    push.await.unwrap().ok();
    assert_eq!(server.remote_ref("refs/heads/main").await, Some(work.head().await));
}

#[tokio::test]
async fn a_commit_that_is_live_is_accepted_without_a_build() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let commit = work.head().await;
    server.set_live(&commit);
    let words = work.git(&["push", "kigo", "main"]).await.ok();
    assert!(words.contains(&format!("Commit {} is live already, skipping build.", &commit[..8])), "{words}");
    assert_eq!(server.remote_ref("refs/heads/main").await, Some(commit));
    server.assert_no_build();
}

#[tokio::test]
async fn a_commit_that_is_being_built_is_followed() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let commit = work.head().await;
    let steps = server.set_building(&commit);
    steps.send(Progress::Output(Bytes::from_static(b"-----> Since a while\n"))).await.unwrap();
    steps.send(Progress::Built { succeeded: true }).await.unwrap();
    drop(steps);
    let words = work.git(&["push", "kigo", "main"]).await.ok();
    assert!(words.contains("is being built already") && words.contains("-----> Since a while"), "{words}");
    server.assert_no_build();
}

#[tokio::test]
async fn the_tree_is_built_as_it_is() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let attributes = "tests/ export-ignore\n/hidden export-ignore\nversion export-subst\n";
    for (path, content) in [("tests/a", "1"), ("hidden", "2"), ("version", "$Format:%H$")] {
        work.commit(path, content).await;
    }
    work.commit(".gitattributes", attributes).await;
    let push = work.push();
    let build = server.build().await;
    for (path, content) in [("tests/a", "1"), ("hidden", "2"), ("version", "$Format:%H$")] {
        assert_eq!(build.files.get(path).map(String::as_str), Some(content), "{path}");
    }
    build.succeed().await;
    push.await.unwrap().ok();
}

#[tokio::test]
async fn submodules_are_mentioned() {
    let mut server = Server::new().await;
    let (work, inner) = (server.work("work").await, server.work("inner").await);
    let inner = inner.path.to_str().unwrap().to_owned();
    work.git(&["submodule", "--quiet", "add", &inner, "vendor"]).await.ok();
    work.commit("more", "1").await;
    let push = work.push();
    let build = server.build().await;
    assert!(!build.files.contains_key("vendor/Procfile"));
    build.succeed().await;
    let words = push.await.unwrap().ok();
    assert!(words.contains(" !     This repository has submodules."), "{words}");
}

#[tokio::test]
async fn a_refusal_says_why() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    server.refuse("Your account has reached its concurrent builds limit.\nTry again later.");
    let words = work.git(&["push", "kigo", "main"]).await.fails();
    let expected = "Compressing source files... failed.\n \
                    !     Your account has reached its concurrent builds limit.\n \
                    !     Try again later.\n\n!\tPush rejected to my-app.\n\n";
    assert_eq!(Outcome::remote(&words), expected);
    server.assert_no_build();
}

#[tokio::test]
async fn while_no_push_can_be_taken_others_are_served() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    server.close("There is no room.");
    let words = work.git(&["push", "kigo", "main"]).await.fails();
    assert!(words.contains("There is no room."), "{words}");
    work.git(&["ls-remote", "kigo"]).await.ok();
    server.assert_no_build();
}

#[tokio::test]
async fn credentials_and_apps_are_checked() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    for (user, app, words) in [
        ("any:wrong", "my-app", "Authentication failed"),
        ("any", "my-app", "could not read Password"),
        (&*format!("any:{TOKEN}"), "another-app", "Couldn't find that app."),
        (&*format!("any:{TOKEN}"), "..", "not found"),
    ] {
        for arguments in [&["push"][..], &["ls-remote"]] {
            let url = server.url(user, app);
            let mut arguments = arguments.to_vec();
            arguments.push(&url);
            if arguments[0] == "push" {
                arguments.push("main");
            }
            let got = work.git(&arguments).await.fails();
            assert!(got.contains(words), "{user} {app}: {got}");
        }
    }
    server.assert_no_build();
    let empty = server.url(&format!(":{TOKEN}"), "my-app");
    work.git(&["ls-remote", &empty]).await.ok();
}
