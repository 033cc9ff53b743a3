//! Containers with a client.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use engine::{Status, Terminal};
use support::{Machine, PATIENCE, shell};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

const PTY: Terminal = Terminal::Pty { columns: 90, rows: 30 };

async fn started(machine: &Machine, script: &str, terminal: Terminal) -> (engine::ContainerId, UnixStream) {
    let mut spec = shell(script);
    spec.terminal = terminal;
    machine.spawn(&spec).await;
    machine.until(spec.id, |status| *status == Status::AwaitingClient).await;
    (spec.id, machine.host.attach(spec.id).await.unwrap())
}

async fn rest(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut text)).await.unwrap().unwrap();
    String::from_utf8(text).unwrap()
}

async fn until(stream: &mut UnixStream, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let mut buffer = [0; 4096];
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await;
        let length = read.unwrap_or_else(|_| panic!("no {wanted:?} in {text:?}")).unwrap();
        assert_ne!(length, 0, "the end came before {wanted:?}: {text:?}");
        text += std::str::from_utf8(&buffer[..length]).unwrap();
    }
    text
}

#[tokio::test]
async fn a_terminal_is_a_real_one_of_the_size_that_was_asked_for() {
    let machine = Machine::new();
    let (id, mut stream) = started(
        &machine,
        "tty; stty size; stat -c %u:%g $(tty); [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo yes; exit 9",
        PTY,
    )
    .await;
    assert_eq!(rest(&mut stream).await, "/dev/pts/0\r\n30 90\r\n1000:5\r\nyes\r\n");
    assert_eq!(machine.wait(id).await.code, 9);
    machine.clean().await;
}

#[tokio::test]
async fn a_shell_on_a_terminal_can_be_used() {
    let machine = Machine::new();
    let (id, mut stream) = started(&machine, "exec sh -i", PTY).await;
    stream.write_all(b"echo $((40 + 2))\n").await.unwrap();
    until(&mut stream, "\r\n42\r\n").await;
    // Job control works, which needs a controlling terminal; and so does ^C.
    stream.write_all(b"sh -c 'echo up; sleep 1000'\n").await.unwrap();
    until(&mut stream, "\r\nup\r\n").await;
    stream.write_all(b"\x03").await.unwrap();
    stream.write_all(b"echo after $?\n").await.unwrap();
    until(&mut stream, "after 130\r\n").await;
    machine.host.resize(id, 120, 50).await.unwrap();
    stream.write_all(b"stty size; exit 3\n").await.unwrap();
    assert!(rest(&mut stream).await.contains("50 120\r\n"));
    assert_eq!(machine.wait(id).await.code, 3);
    machine.clean().await;
}

#[tokio::test]
async fn pipes_carry_bytes_as_they_are_and_the_end_of_input() {
    let machine = Machine::new();
    let (id, mut stream) =
        started(&machine, "[ -t 0 ] && echo tty; cat; echo err >&2; exit 4", Terminal::Pipes).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let (mut read, mut write) = stream.split();
    let sent = bytes.clone();
    let send = async {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let receive = async { timeout(PATIENCE, read.read_to_end(&mut received)).await.unwrap().unwrap() };
    tokio::join!(send, receive);
    assert!(received.ends_with(b"err\n"));
    received.truncate(received.len() - 4);
    assert!(received == bytes);
    assert_eq!(machine.wait(id).await.code, 4);
    machine.clean().await;
}

#[tokio::test]
async fn hanging_up_is_told_to_the_program() {
    let machine = Machine::new();
    for terminal in [PTY, Terminal::Pipes] {
        let (id, mut stream) =
            started(&machine, "trap 'exit 77' HUP; echo ready; while :; do sleep 0.05; done", terminal).await;
        until(&mut stream, "ready").await;
        drop(stream);
        assert_eq!(machine.wait(id).await.code, 77, "{terminal:?}");
    }
    machine.clean().await;
}

#[tokio::test]
async fn there_is_one_client_and_the_program_waits_for_it() {
    let machine = Machine::new();
    let mut spec = shell("echo hello; exec sleep 1000");
    spec.terminal = Terminal::Pipes;
    machine.spawn(&spec).await;
    machine.until(spec.id, |status| *status == Status::AwaitingClient).await;
    let mut first = machine.host.attach(spec.id).await.unwrap();
    until(&mut first, "hello").await;
    machine.until(spec.id, |status| matches!(status, Status::Running { .. })).await;
    let second = machine.host.attach(spec.id).await;
    assert!(matches!(second, Err(container::HostError::NotAttachable(_))), "{second:?}");
    machine.clean().await;
}

#[tokio::test]
async fn a_container_without_a_terminal_takes_no_client() {
    let machine = Machine::new();
    let spec = shell("sleep 1000");
    machine.spawn(&spec).await;
    let attached = machine.host.attach(spec.id).await;
    assert!(matches!(attached, Err(container::HostError::NotAttachable(_))), "{attached:?}");
    machine.clean().await;
}

#[tokio::test]
async fn stopping_what_still_waits_for_its_client_ends_it() {
    let machine = Machine::new();
    let mut spec = shell("echo never");
    spec.terminal = PTY;
    machine.spawn(&spec).await;
    machine.until(spec.id, |status| *status == Status::AwaitingClient).await;
    machine.host.stop(spec.id, PATIENCE).await.unwrap();
    let exit = machine.wait(spec.id).await;
    assert_eq!((exit.code, exit.killed), (143, false));
    machine.clean().await;
}

#[tokio::test]
async fn a_client_that_reads_late_gets_everything() {
    let machine = Machine::new();
    let (id, mut stream) =
        started(&machine, "head -c 150000 /dev/zero | tr '\\0' x; exit 6", Terminal::Pipes).await;
    stream.readable().await.unwrap();
    assert_eq!(rest(&mut stream).await.len(), 150_000);
    assert_eq!(machine.wait(id).await.code, 6);
    machine.clean().await;
}

#[tokio::test]
async fn the_client_is_told_why_there_is_no_program() {
    let machine = Machine::new();
    let mut spec = shell("");
    spec.command = vec!["missing".into()];
    spec.terminal = PTY;
    machine.spawn(&spec).await;
    machine.until(spec.id, |status| *status == Status::AwaitingClient).await;
    let mut stream = machine.host.attach(spec.id).await.unwrap();
    assert_eq!(rest(&mut stream).await, "missing: command not found\r\n");
    assert_eq!(machine.wait(spec.id).await.code, 127);
    machine.clean().await;
}

#[tokio::test]
async fn a_program_that_leaves_its_terminal_costs_nothing() {
    let machine = Machine::new();
    let script = "exec 3>&1; echo bye; exec </dev/null >/dev/null 2>&1 3>&-; trap 'exit 5' TERM; while :; do sleep 0.05; done";
    let (id, mut stream) = started(&machine, script, PTY).await;
    until(&mut stream, "bye").await;
    let state: container::state::State =
        serde_json::from_slice(&std::fs::read(machine.host.paths(id).state()).unwrap()).unwrap();
    // Asleep whenever it is looked at; a shim that polls a dead terminal would be running.
    let mut asleep = 0;
    for _ in 0..50 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", state.shim)).unwrap();
        asleep += usize::from(stat.contains(") S "));
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert!(asleep > 25, "{asleep}");
    machine.host.stop(id, PATIENCE).await.unwrap();
    assert_eq!(machine.wait(id).await.code, 5);
    machine.clean().await;
}
