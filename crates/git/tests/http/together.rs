//! Several pushes, clients that leave, a server that stops.

use crate::fixture::{Outcome, Server, wait_until};
use git::Progress;

#[tokio::test]
async fn pushes_to_one_app_wait_for_each_other() {
    let mut server = Server::new().await;
    let (first, second) = (server.work("first").await, server.work("second").await);
    let commit = first.commit("who", "first").await;
    second.commit("who", "second").await;
    let push = first.push();
    let build = server.build().await;

    let mut command = second.command(&["push", "kigo", "main"]);
    let mut waiting = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(waiting.stderr.take().unwrap()));
    while !lines.next_line().await.unwrap().unwrap().contains("Waiting for another push to my-app to end...")
    {
    }
    server.assert_no_build();
    build.succeed().await;
    push.await.unwrap().ok();
    assert_eq!(server.remote_ref("refs/heads/main").await, Some(commit.clone()));

    // The second saw an empty repository, and is told that it is not empty any more.
    let mut words = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        words = words + &line + "\n";
    }
    assert!(!waiting.wait().await.unwrap().success());
    let expected = format!("Another push has moved main to commit {} meanwhile.", &commit[..8]);
    assert!(words.contains(&expected), "{words}");
    server.assert_no_build();

    // Another one begins with what is there now, and has its turn.
    second.git(&["fetch", "--quiet", "kigo"]).await.ok();
    second.git(&["reset", "--quiet", "--soft", "kigo/main"]).await.ok();
    second.commit("who", "second after first").await;
    let push = second.push();
    server.build().await.succeed().await;
    push.await.unwrap().ok();
}

#[tokio::test]
async fn a_waiting_push_that_fits_is_built_in_turn() {
    let mut server = Server::new().await;
    let (first, second) = (server.work("first").await, server.work("second").await);
    second.commit("who", "second").await;
    // Different branches: neither is in the way of the other's ref.
    let push = first.push();
    let build = server.build().await;
    let other = second.begin(&["push", "kigo", "main:master"]);
    build.succeed().await;
    push.await.unwrap().ok();
    server.build().await.succeed().await;
    other.await.unwrap().ok();
    assert_eq!(server.remote_ref("refs/heads/master").await, Some(second.head().await));
}

#[tokio::test]
async fn the_same_commit_pushed_twice_at_once_is_built_once() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let push = work.push();
    let build = server.build().await;
    let url = work.begin(&["push", "--force", "kigo", "main"]);
    build.succeed().await;
    push.await.unwrap().ok();
    let outcome = url.await.unwrap();
    let words = outcome.words();
    // Depending on when it looked, the second found nothing to do or lost the race.
    assert!(
        words.contains("Everything up-to-date") || words.contains("Another push has deployed commit"),
        "{words}"
    );
    server.assert_no_build();
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_end_the_build() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let mut command = work.command(&["push", "kigo", "main"]);
    // A group of its own: the connection is held by children of `git push`.
    let mut client = command.process_group(0).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut words = client.stderr.take().unwrap();
    let build = server.build().await;
    let group = rustix::process::Pid::from_raw(client.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    assert!(!client.wait().await.unwrap().success());
    // Ends when no process of the client is left to write.
    tokio::io::copy(&mut words, &mut tokio::io::sink()).await.unwrap();
    // More than any pipe on the way holds.
    for _ in 0..2000 {
        build
            .print("       a line of output that nobody is there to read any more, and quite a long one\n")
            .await;
    }
    build.succeed().await;
    server.settled(1).await;
    assert_eq!(server.remote_ref("refs/heads/main").await, Some(work.head().await));
    assert!(work.git(&["push", "kigo", "main"]).await.ok().contains("Everything up-to-date"));
}

#[tokio::test]
async fn a_server_that_stops_says_that_the_build_goes_on() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let push = work.push();
    let build = server.build().await;
    build.print("-----> Begun\n").await;
    let stopped = server.stop();
    let words = push.await.unwrap().fails();
    assert!(words.contains("The server is stopping. The build goes on when it is back."), "{words}");
    stopped.await.unwrap();
    assert_eq!(server.remote_ref("refs/heads/main").await, None);
}

#[tokio::test]
async fn a_stream_that_ends_early_rejects_the_push() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let push = work.push();
    drop(server.build().await);
    let words = push.await.unwrap().fails();
    assert!(Outcome::remote(&words).contains("Push the same commit again"), "{words}");
    // After the release was made nothing of the build is left to lose.
    let push = work.push();
    let build = server.build().await;
    build.step(Progress::Built { succeeded: true }).await;
    build.step(Progress::ReleaseCommand).await;
    drop(build);
    push.await.unwrap().ok();
}

#[tokio::test]
async fn no_process_outlives_its_push() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let push = work.push();
    server.build().await.succeed().await;
    push.await.unwrap().ok();
    server.settled(1).await;
    let repository = server.repository();
    wait_until("a git process is left", || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        !processes
            .filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok())
            .any(|cwd| cwd.starts_with(&repository))
    })
    .await;
}
