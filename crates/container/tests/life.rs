//! Real containers from their start to their end.

mod support;

use container::Bundle;
use container::protocol::Request;
use engine::{Mount, Status};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use support::{Machine, PATIENCE, shell};

#[tokio::test]
async fn a_container_runs_its_command_as_asked_and_reports_its_exit() {
    let machine = Machine::new();
    let script =
        "echo out; echo err >&2; id -u; id -g; pwd; hostname; echo $HOME; read x || echo no input; exit 42";
    let (exit, printed) = machine.run(script).await;
    assert_eq!(printed, "out\nerr\n1000\n1000\n/app\ntest-host\n/app\nno input\n");
    assert_eq!((exit.code, exit.failure, exit.killed, exit.out_of_memory), (42, None, false, false));
    let (exit, _) = machine.run("kill -SEGV $$").await;
    assert_eq!(exit.code, 128 + libc::SIGSEGV);
    machine.clean().await;
}

#[tokio::test]
async fn nothing_of_the_servers_environment_gets_in() {
    let machine = Machine::new();
    let mut spec = shell("");
    spec.command = vec!["env".into()];
    spec.env.insert("PORT".into(), "5000".into());
    let (_, printed) = machine.run_spec(&spec).await;
    assert_eq!(printed, "HOME=/app\nPATH=/bin\nPORT=5000\n");
    machine.clean().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_executed_says_so_as_a_shell_would() {
    let machine = Machine::new();
    for (command, code, text) in [
        ("missing", 127, "missing: command not found"),
        ("/etc/passwd", 126, "/etc/passwd: Permission denied (os error 13)"),
        ("/missing", 127, "/missing: command not found"),
    ] {
        let mut spec = shell("");
        spec.command = vec![command.into()];
        let (exit, _) = machine.run_spec(&spec).await;
        assert_eq!((exit.code, exit.failure.as_deref()), (code, Some(text)));
    }
    let mut spec = shell("");
    spec.working_dir = "/missing".into();
    let (exit, _) = machine.run_spec(&spec).await;
    assert!(exit.failure.unwrap().contains("working directory /missing"));
    machine.clean().await;
}

#[tokio::test]
async fn what_cannot_be_set_up_is_an_exit_with_the_whole_story() {
    let machine = Machine::new();
    let spec = shell("true");
    machine.host.spawn(spec.clone(), vec!["/nonexistent/layer".into()], None).await.unwrap();
    let exit = machine.wait(spec.id).await;
    assert_eq!(exit.code, 128);
    let failure = exit.failure.unwrap();
    assert!(failure.contains("/nonexistent/layer") && failure.contains("No such file"), "{failure}");

    let spec = shell("true");
    machine.host.spawn(spec.clone(), vec![], None).await.unwrap();
    assert!(machine.wait(spec.id).await.failure.unwrap().contains("no layers"));

    let mut spec = shell("true");
    spec.command = vec![];
    assert!(machine.run_spec(&spec).await.0.failure.unwrap().contains("there is no command"));
    machine.clean().await;
}

#[tokio::test]
async fn a_shim_that_cannot_be_started_is_an_exit_too() {
    let machine = Machine::with(|config| config.shim = vec!["/nonexistent/shim".into()]);
    let (exit, _) = machine.run("true").await;
    assert!(exit.failure.unwrap().contains("the shim could not be started"));
    machine.clean().await;
    let machine = Machine::with(|config| config.shim = vec!["/bin/false".into()]);
    let (exit, _) = machine.run("true").await;
    assert!(exit.failure.unwrap().contains("the shim could not be started"));
    machine.clean().await;
}

#[tokio::test]
async fn a_shim_whose_container_does_not_come_goes_away() {
    let machine = Machine::new();
    let spec = shell("true");
    let begun = machine.host.begin(spec.id, spec.limits.disk).unwrap().unwrap();
    assert!(machine.host.begin(spec.id, spec.limits.disk).unwrap().is_none(), "it is begun already");
    assert!(machine.host.ids().unwrap().is_empty(), "it is no container");
    drop(begun);
    machine.host.cleanup(spec.id).await.unwrap();
    assert!(!machine.host.paths(spec.id).directory().exists());
    machine.clean().await;
}

#[tokio::test]
async fn a_container_whose_spec_is_written_begins_also_if_its_server_dies_that_moment() {
    let machine = Machine::new();
    let spec = shell("echo begun; sleep 1000");
    let config = machine.host.config();
    let begun = machine.host.begin(spec.id, spec.limits.disk).unwrap().unwrap();
    let bundle = Bundle {
        spec: spec.clone(),
        layers: machine.layers(),
        network: None,
        cgroup_parent: config.cgroup_parent.clone(),
        uid_base: config.uid_base,
        spool_limit: config.spool_limit,
        ownership: config.ownership,
        runtime: None,
    };
    container::state::write_json(&machine.host.paths(spec.id).spec(), &bundle).unwrap();
    assert_eq!(machine.host.observe(spec.id).unwrap().status, Status::Creating);
    drop(begun);
    machine.until_printed(spec.id, "begun").await;
    machine.clean().await;
}

#[tokio::test]
async fn shims_have_names_and_the_process_they_come_from_is_replaced_when_it_dies() {
    let machine = Machine::new();
    let (one, two) = (shell("echo begun; sleep 1000"), shell("echo begun; sleep 1000"));
    machine.spawn(&one).await;
    machine.until_printed(one.id, "begun").await;
    let stem = machine.stem().unwrap();
    rustix::process::kill_process(stem, rustix::process::Signal::KILL).unwrap();
    // As long as it is not a zombie its end of the socket may still be open.
    let stat = format!("/proc/{}/stat", stem.as_raw_nonzero());
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    machine.spawn(&two).await;
    machine.until_printed(two.id, "begun").await;
    assert!(machine.stem().is_some_and(|another| another != stem));
    for id in [one.id, two.id] {
        machine.until(id, |status| matches!(status, Status::Running { .. })).await;
        let state: container::state::State =
            serde_json::from_slice(&fs::read(machine.host.paths(id).state()).unwrap()).unwrap();
        let arguments = fs::read_to_string(format!("/proc/{}/cmdline", state.shim)).unwrap();
        assert_eq!(arguments.trim_end_matches('\0'), format!("kigo shim {id}"));
    }
    machine.clean().await;
}

#[tokio::test]
async fn spawning_twice_starts_once() {
    let machine = Machine::new();
    let spec = shell("echo once; sleep 1000");
    machine.spawn(&spec).await;
    machine.spawn(&spec).await;
    machine.until_printed(spec.id, "once").await;
    machine.spawn(&spec).await;
    machine.host.stop(spec.id, Duration::ZERO).await.unwrap();
    machine.wait(spec.id).await;
    machine.spawn(&spec).await;
    assert_eq!(machine.printed(spec.id), "once\n");
    machine.clean().await;
}

#[tokio::test]
async fn every_process_gets_sigterm_and_the_program_may_end_by_itself() {
    let machine = Machine::new();
    let child = "trap 'echo child; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let parent = "trap 'wait; echo parent; exit 7' TERM; echo set; while :; do sleep 0.05; done";
    let script = format!("({child}) & {parent}");
    let spec = shell(&script);
    machine.spawn(&spec).await;
    machine.until_printed(spec.id, "ready").await;
    machine.until_printed(spec.id, "set").await;
    machine.host.stop(spec.id, PATIENCE).await.unwrap();
    let exit = machine.wait(spec.id).await;
    assert_eq!((exit.code, exit.killed), (7, false));
    // The shells also say that their `sleep` was terminated, each when it notices.
    let printed = machine.printed(spec.id);
    let words: Vec<_> =
        printed.lines().filter(|line| !["ready", "set", "Terminated"].contains(line)).collect();
    assert_eq!(words, ["child", "parent"], "{printed}");
    machine.host.stop(spec.id, PATIENCE).await.unwrap();
    machine.clean().await;
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_the_grace_period() {
    let machine = Machine::new();
    let spec = shell("trap 'echo no' TERM; echo ready; while :; do sleep 0.02; done");
    machine.spawn(&spec).await;
    machine.until_printed(spec.id, "ready").await;
    machine.host.stop(spec.id, Duration::from_millis(300)).await.unwrap();
    let exit = machine.wait(spec.id).await;
    assert_eq!((exit.code, exit.killed), (137, true));
    assert!(machine.printed(spec.id).contains("no\n"));
    machine.clean().await;
}

#[tokio::test]
async fn a_time_limit_ends_the_program() {
    let machine = Machine::new();
    let mut spec = shell("echo begun; sleep 1000");
    spec.time_limit = Some(Duration::from_millis(300));
    let (exit, printed) = machine.run_spec(&spec).await;
    assert_eq!((exit.code, exit.timed_out, exit.killed), (128 + libc::SIGTERM, true, false));
    assert_eq!(printed, "begun\n");
    machine.clean().await;
}

#[tokio::test]
async fn orphans_are_reaped_and_end_with_the_program() {
    let machine = Machine::new();
    // Double-forked, so that they become children of init: the short ones must not stay zombies.
    let script = "for i in 1 2 3 4 5; do (true &) ; done; (sleep 1000 &); \
                  until [ $(ps -o stat,comm | grep -c '^Z') = 0 ]; do sleep 0.02; done; ps -o comm | grep -c sleep";
    let (exit, printed) = machine.run(script).await;
    assert_eq!((exit.code, printed.as_str()), (0, "1\n"));
    machine.clean().await;
}

#[tokio::test]
async fn a_listener_on_the_watched_port_is_noticed() {
    let machine = Machine::new();
    let mut spec = shell("echo waiting; until [ -e x/go ]; do sleep 0.02; done; nc -l -p 5000");
    spec.watch_port = Some(5000);
    spec.mounts =
        vec![Mount { source: machine.path().join("shared"), target: "/app/x".into(), read_only: false }];
    fs::create_dir(machine.path().join("shared")).unwrap();
    machine.spawn(&spec).await;
    machine.until_printed(spec.id, "waiting").await;
    // A program may print before its init has told that it runs.
    let status = machine.until(spec.id, |status| matches!(status, Status::Running { .. })).await;
    assert!(matches!(status, Status::Running { listening: false, .. }), "{status:?}");
    let mut changes = machine.host.subscribe(spec.id).await.unwrap();
    fs::write(machine.path().join("shared/go"), "").unwrap();
    let listening = |status: &Status| matches!(status, Status::Running { listening: true, .. });
    while !listening(&machine.host.observe(spec.id).unwrap().status) {
        tokio::time::timeout(PATIENCE, changes.next()).await.unwrap().unwrap();
    }
    machine.clean().await;
}

#[tokio::test]
async fn directories_of_the_host_appear_with_their_owners_shifted() {
    let machine = Machine::new();
    let source = machine.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("mine"), "content\n").unwrap();
    std::os::unix::fs::chown(&source, Some(1000), Some(1000)).unwrap();
    std::os::unix::fs::chown(source.join("mine"), Some(1000), Some(1000)).unwrap();
    let mut spec =
        shell("cat cache/mine; stat -c %u cache/mine; echo new > cache/made; echo no > fixed/made; ls fixed");
    spec.mounts = vec![
        Mount { source: source.clone(), target: "/app/cache".into(), read_only: false },
        Mount { source: source.clone(), target: "/app/fixed".into(), read_only: true },
    ];
    let (_, printed) = machine.run_spec(&spec).await;
    assert!(printed.starts_with("content\n1000\n"), "{printed}");
    assert!(printed.contains("Read-only file system"), "{printed}");
    assert!(printed.ends_with("made\nmine\n"), "{printed}");
    let made = fs::metadata(source.join("made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (1000, 1000));
    machine.clean().await;
}

#[tokio::test]
async fn everybody_has_users_of_their_own_and_they_are_used_again() {
    let machine = Machine::new();
    let (one, two) = (shell("sleep 1000"), shell("sleep 1000"));
    machine.spawn(&one).await;
    machine.spawn(&two).await;
    let base = |id| machine.host.observe(id).unwrap().bundle.uid_base;
    assert_eq!((base(one.id), base(two.id)), (200_000, 265_536));
    machine.until(one.id, |status| matches!(status, Status::Running { .. })).await;
    let state: container::state::State =
        serde_json::from_slice(&fs::read(machine.host.paths(one.id).state()).unwrap()).unwrap();
    let process = fs::metadata(format!("/proc/{}", state.init.unwrap())).unwrap();
    assert_eq!(process.uid(), 201_000);
    machine.host.cleanup(one.id).await.unwrap();
    let three = shell("sleep 1000");
    machine.restarted().spawn(three.clone(), machine.layers(), None).await.unwrap();
    assert_eq!(base(three.id), 200_000);
    machine.clean().await;
}

#[tokio::test]
async fn a_container_outlives_the_host_that_started_it_and_is_found_again() {
    let machine = Machine::new();
    let spec = shell("echo begun; trap 'exit 3' TERM; while :; do sleep 0.05; done");
    let first = machine.restarted();
    first.spawn(spec.clone(), machine.layers(), None).await.unwrap();
    assert!(machine.stem().is_some());
    drop(first);
    assert_eq!(machine.stem(), None);
    machine.until_printed(spec.id, "begun").await;
    let before = machine.until(spec.id, |status| matches!(status, Status::Running { .. })).await;
    let host = machine.restarted();
    assert_eq!(host.ids().unwrap(), [spec.id]);
    let observed = host.observe(spec.id).unwrap();
    assert_eq!(observed.status, before);
    assert_eq!(observed.bundle.spec.labels, spec.labels);
    host.stop(spec.id, PATIENCE).await.unwrap();
    assert_eq!(machine.wait(spec.id).await.code, 3);
    machine.clean().await;
}

#[tokio::test]
async fn the_shim_is_no_child_and_in_no_group_of_the_server() {
    let machine = Machine::new();
    let spec = shell("echo begun; sleep 1000");
    machine.spawn(&spec).await;
    machine.until(spec.id, |status| matches!(status, Status::Running { .. })).await;
    let state: container::state::State =
        serde_json::from_slice(&fs::read(machine.host.paths(spec.id).state()).unwrap()).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", state.shim)).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_ne!(fields[1], std::process::id().to_string(), "its parent");
    assert_eq!(fields[2..4], [state.shim.to_string(), state.shim.to_string()], "process group and session");
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", state.shim)).unwrap();
    assert!(groups.contains("/shims"), "{groups}");
    machine.clean().await;
}

#[tokio::test]
async fn a_container_dies_with_its_shim_and_is_seen_as_dead() {
    let machine = Machine::new();
    let spec = shell("echo begun; sleep 1000");
    machine.spawn(&spec).await;
    machine.until_printed(spec.id, "begun").await;
    machine.until(spec.id, |status| matches!(status, Status::Running { .. })).await;
    let state: container::state::State =
        serde_json::from_slice(&fs::read(machine.host.paths(spec.id).state()).unwrap()).unwrap();
    let init = rustix::process::Pid::from_raw(state.init.unwrap()).unwrap();
    let pidfd = rustix::process::pidfd_open(init, rustix::process::PidfdFlags::empty()).unwrap();
    let shim = rustix::process::Pid::from_raw(state.shim).unwrap();
    rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
    let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut fds, Some(&patience)).unwrap(), 1, "init lives on");
    let exit = machine.wait(spec.id).await;
    assert_eq!(exit.code, 137);
    assert!(exit.failure.unwrap().contains("shim"));
    assert_eq!(machine.printed(spec.id), "begun\n");
    machine.clean().await;
}

#[tokio::test]
async fn cleaning_up_ends_what_runs() {
    let machine = Machine::new();
    let spec = shell("trap '' TERM; echo begun; while :; do sleep 1; done");
    machine.spawn(&spec).await;
    machine.until_printed(spec.id, "begun").await;
    machine.host.cleanup(spec.id).await.unwrap();
    assert!(!machine.host.paths(spec.id).directory().exists());
    assert!(matches!(machine.host.observe(spec.id), Err(container::HostError::NotFound(_))));
    machine.clean().await;
}

#[tokio::test]
async fn a_shim_answers_nonsense_and_goes_on() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let machine = Machine::new();
    let spec = shell("echo begun; sleep 1000");
    machine.spawn(&spec).await;
    machine.until_printed(spec.id, "begun").await;
    let socket = machine.host.paths(spec.id).socket();
    let mut stream = BufReader::new(tokio::net::UnixStream::connect(&socket).await.unwrap());
    stream.get_mut().write_all(b"{\"stop\":\n\"dance\"\n").await.unwrap();
    for _ in 0..2 {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.contains("malformed"), "{line}");
    }
    let mut flood = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let _ = flood.write_all(&vec![b'x'; 20_000]).await;
    let mut client = machine.host.connect(spec.id).await.unwrap();
    client.request(Request::Acknowledge { sequence: 1 }).await.unwrap();
    assert!(client.request(Request::Signal { number: 9 }).await.is_err());
    assert!(client.request(Request::Signal { number: 12345 }).await.is_err());
    assert!(client.request(Request::Attach).await.is_err());
    client.request(Request::Stop { grace_milliseconds: u64::MAX }).await.unwrap();
    assert_eq!(machine.wait(spec.id).await.code, 128 + libc::SIGTERM);
    machine.clean().await;
}
