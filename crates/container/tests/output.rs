//! What containers print: every line once, whatever happens to those who read.

mod support;

use engine::{Mount, OutputContent};
use std::time::{Duration, Instant};
use support::{Machine, PATIENCE, shell};

#[tokio::test]
async fn lines_come_exactly_once_over_restarts_of_the_reader() {
    let machine = Machine::new();
    let spec = shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done");
    machine.spawn(&spec).await;
    // Reads a little, acknowledges, forgets everything but its position, as a server that is
    // killed now and then.
    let mut found = Vec::new();
    let mut position = 0;
    let mut host = machine.restarted();
    while found.len() < 20_000 {
        let mut reader = host.output(spec.id, position);
        for _ in 0..777 {
            let Some(line) = reader.next_line().unwrap() else { break };
            assert_eq!(line.sequence, position + 1);
            position = line.sequence;
            let OutputContent::Line(bytes) = line.content else { panic!("lines were dropped") };
            found.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        host.acknowledge(spec.id, position).await.unwrap();
        host = machine.restarted();
    }
    for (index, line) in found.iter().enumerate() {
        assert_eq!(*line, format!("line {}", index + 1));
    }
    assert_eq!(machine.wait(spec.id).await.code, 0);
    machine.clean().await;
}

#[tokio::test]
async fn a_chatty_container_is_not_held_up_by_a_full_spool() {
    let machine = Machine::with(|config| config.spool_limit = 64 << 10);
    let (exit, printed) = machine.run("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done").await;
    assert_eq!(exit.code, 0);
    let lines: Vec<&str> = printed.lines().collect();
    let kept = lines.len() - 1;
    assert!(kept > 1000 && kept < 20_000, "{kept}");
    assert_eq!(lines[kept - 1], format!("line {kept}"));
    assert_eq!(lines[kept], format!("<{} dropped>", 20_000 - kept));
    machine.clean().await;
}

#[tokio::test]
async fn acknowledging_makes_room_and_the_gap_is_told_in_its_place() {
    let machine = Machine::with(|config| config.spool_limit = 16 << 10);
    let shared = machine.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::os::unix::fs::chown(&shared, Some(1000), Some(1000)).unwrap();
    let script = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done; touch x/printed; \
                  until [ -e x/go ]; do sleep 0.02; done; echo after";
    let mut spec = shell(script);
    spec.mounts = vec![Mount { source: shared.clone(), target: "/app/x".into(), read_only: false }];
    machine.spawn(&spec).await;
    let deadline = Instant::now() + PATIENCE;
    while !shared.join("printed").exists() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (mut kept, mut dropped, mut lines) = (0, 0, Vec::new());
    let mut reader = machine.host.output(spec.id, 0);
    let mut read = |kept: &mut u64, dropped: &mut u64| {
        while let Some(line) = reader.next_line().unwrap() {
            match line.content {
                OutputContent::Line(bytes) => {
                    *kept += 1;
                    lines.push(String::from_utf8(bytes.to_vec()).unwrap());
                }
                OutputContent::Dropped(count) => *dropped += count,
            }
        }
        reader.position()
    };
    let position = read(&mut kept, &mut dropped);
    assert!(position > 0);
    machine.host.acknowledge(spec.id, position).await.unwrap();
    std::fs::write(shared.join("go"), "").unwrap();
    machine.wait(spec.id).await;
    read(&mut kept, &mut dropped);
    assert!(dropped > 0);
    assert_eq!(kept + dropped, 2001, "every line is there or counted");
    assert_eq!(lines.last().unwrap(), "after");
    machine.clean().await;
}

#[tokio::test]
async fn a_line_without_an_end_comes_after_a_while_and_at_the_end() {
    let machine = Machine::new();
    let spec = shell("printf 'name? '; read x < /app/never || while [ ! -e /tmp/x ]; do sleep 0.05; done");
    machine.spawn(&spec).await;
    machine.until_printed(spec.id, "name? ").await;
    machine.host.stop(spec.id, Duration::ZERO).await.unwrap();
    machine.wait(spec.id).await;
    let (_, printed) = machine.run("printf 'a\\nlast words'").await;
    assert_eq!(printed, "a\nlast words\n");
    machine.clean().await;
}

#[tokio::test]
async fn what_is_printed_right_before_the_end_is_kept() {
    let machine = Machine::new();
    for _ in 0..10 {
        let (_, printed) =
            machine.run("head -c 60000 /dev/zero | tr '\\0' 'x'; echo; echo end; kill -9 $$").await;
        assert!(printed.ends_with("x\nend\n"));
        assert_eq!(printed.bytes().filter(|byte| *byte == b'x').count(), 60_000);
        assert_eq!(printed.lines().map(str::len).max(), Some(10_000));
    }
    machine.clean().await;
}

#[tokio::test]
async fn a_subscriber_is_woken_for_output_and_for_the_end() {
    let machine = Machine::new();
    let spec = shell("echo begun; sleep 0.1; echo more; sleep 0.1; exit 5");
    machine.spawn(&spec).await;
    let mut changes = machine.host.subscribe(spec.id).await.unwrap();
    let mut last = None;
    while let Some(event) = tokio::time::timeout(PATIENCE, changes.next()).await.unwrap() {
        last = Some(event);
    }
    let last = last.unwrap();
    assert!(last.state);
    assert_eq!(last.last_sequence, 2);
    assert_eq!(machine.wait(spec.id).await.code, 5);
    machine.clean().await;
}
