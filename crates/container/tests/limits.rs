//! What a container may use, and that it gets no more.

mod support;

use engine::{Status, Usage, Volume};
use std::time::Duration;
use support::{Machine, PATIENCE, shell};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn too_much_memory_is_a_kill_and_is_told_as_such() {
    let machine = Machine::new();
    let mut spec = shell("echo begun; tail /dev/zero; echo survived; sleep 1000");
    spec.limits.memory = 16 * MIB;
    spec.limits.memory_max = 32 * MIB;
    let (exit, printed) = machine.run_spec(&spec).await;
    assert_eq!((exit.code, exit.out_of_memory, exit.killed), (137, true, false));
    // With version 1 the shell may get to say something before all of it is killed.
    assert!(printed.starts_with("begun\n"), "{printed}");
    // The positive control: with more memory the same is no problem.
    let mut spec = shell("head -c 20000000 /dev/zero | tail -c 20000000 | wc -c");
    spec.limits.memory_max = 64 * MIB;
    let (exit, printed) = machine.run_spec(&spec).await;
    assert_eq!((exit.code, exit.out_of_memory, printed.as_str()), (0, false, "20000000\n"));
    machine.clean().await;
}

#[tokio::test]
async fn a_fork_bomb_stops_at_the_limit_of_processes() {
    let machine = Machine::new();
    let mut spec = shell("i=0; while [ $i -lt 100 ]; do i=$((i+1)); sleep 1000 & echo $i; done");
    spec.limits.pids = 20;
    spec.limits.memory_max = 256 * MIB;
    let (exit, printed) = machine.run_spec(&spec).await;
    assert_ne!(exit.code, 0);
    assert!(printed.contains("can't fork"), "{printed}");
    // The shell is the twentieth.
    assert!(printed.contains("19\n") && !printed.contains("20\n"), "{printed}");
    machine.clean().await;
}

#[tokio::test]
async fn a_disk_filler_fills_its_own_disk_only() {
    let machine = Machine::new();
    let mut spec = shell(
        "dd if=/dev/zero of=/app/fill bs=1M; df -m / | tail -1 | awk '{print $2}'; rm /app/fill; \
                          dd if=/dev/zero of=/app/small bs=1M count=8 && echo room again",
    );
    spec.limits.disk = 32 * MIB;
    let (_, printed) = machine.run_spec(&spec).await;
    assert!(printed.contains("No space left on device"), "{printed}");
    assert!(printed.contains("room again"), "{printed}");
    let size: u64 = printed.lines().find_map(|line| line.parse().ok()).unwrap();
    assert!((20..=32).contains(&size), "{printed}");
    // The shim removes it after it has told the end.
    let deadline = std::time::Instant::now() + PATIENCE;
    while machine.host.paths(spec.id).disk().exists() {
        assert!(std::time::Instant::now() < deadline, "the disk is left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    machine.clean().await;
}

#[tokio::test]
async fn a_volume_lasts_and_has_a_limit_of_its_own() {
    let machine = Machine::new();
    let volume = |megabytes| Volume {
        image: machine.host.config().containers.join("volumes/one.img"),
        size: megabytes * MIB,
        target: "/data".into(),
        owner: 1000,
    };
    let mut spec = shell("echo kept > /data/file; dd if=/dev/zero of=/data/fill bs=1M; rm /data/fill");
    spec.volumes = vec![volume(64)];
    let (exit, printed) = machine.run_spec(&spec).await;
    assert!(exit.code == 0 && printed.contains("No space left on device"), "{exit:?} {printed}");
    machine.host.cleanup(spec.id).await.unwrap();

    let mut spec = shell("cat /data/file; stat -c %u /data; df -m /data | tail -1 | awk '{print $2}'");
    spec.volumes = vec![volume(128)];
    let (_, printed) = machine.run_spec(&spec).await;
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[..2], ["kept", "1000"], "{printed}");
    assert!((90..=128).contains(&lines[2].parse::<u64>().unwrap()), "{printed}");
    machine.clean().await;
}

#[tokio::test]
async fn a_volume_belongs_to_one_container_at_a_time() {
    let machine = Machine::new();
    let image = machine.host.config().containers.join("volumes/one.img");
    let volume = Volume { image, size: 64 * MIB, target: "/data".into(), owner: 1000 };
    let mut first = shell("echo begun; sleep 1000");
    first.volumes = vec![volume.clone()];
    machine.spawn(&first).await;
    machine.until_printed(first.id, "begun").await;
    let mut second = shell("echo begun");
    second.volumes = vec![volume.clone()];
    let (exit, _) = machine.run_spec(&second).await;
    let failure = exit.failure.unwrap_or_default();
    assert!(failure.contains("another container has it"), "{failure}");
    machine.host.cleanup(first.id).await.unwrap();
    let mut third = shell("echo mine");
    third.volumes = vec![volume];
    assert_eq!(machine.run_spec(&third).await.1, "mine\n");
    machine.clean().await;
}

#[tokio::test]
async fn the_quota_is_where_programs_look_for_it() {
    let machine = Machine::new();
    let mut spec = shell(
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; \
                          echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes; cat /proc/self/cgroup | grep -v ':/$' | wc -l; ulimit -n; ulimit -c",
    );
    spec.limits.memory = 512 * MIB;
    spec.limits.memory_max = 1024 * MIB;
    let (_, printed) = machine.run_spec(&spec).await;
    assert!(printed.starts_with("536870912\n536870912\n"), "{printed}");
    assert!(printed.contains("Read-only file system") || printed.contains("Permission denied"), "{printed}");
    // Nobody inside learns where on the host its control group is, but for those controllers that
    // Kigo does not use and whose group is the server's own.
    assert!(printed.ends_with("10000\n0\n"), "{printed}");
    machine.clean().await;
}

#[tokio::test]
async fn usage_is_counted_and_the_cpu_quota_holds() {
    let machine = Machine::new();
    let mut spec = shell(
        "(head -c 30000000 /dev/zero | tail -c 30000000 | sleep 1000) & echo begun; while :; do :; done",
    );
    spec.limits.cpu_millis = Some(200);
    machine.spawn(&spec).await;
    machine.until_printed(spec.id, "begun").await;
    let reader = machine.host.usage(spec.id);
    let deadline = std::time::Instant::now() + PATIENCE;
    let enough =
        |usage: &Usage| usage.memory_rss > 30_000_000 && usage.cpu_nanos > 100_000_000 && usage.pids >= 3;
    while !enough(&reader.read()) {
        assert!(std::time::Instant::now() < deadline, "{:?}", reader.read());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Whatever else the machine does, a program that never pauses meets its quota.
    let stat = machine.group(spec.id).directory_of("cpu").unwrap().join("cpu.stat");
    let throttled = || {
        let text = std::fs::read_to_string(&stat).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.parse::<u64>().ok());
        count.unwrap() > 0
    };
    while !throttled() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    machine.until(spec.id, |status| matches!(status, Status::Running { .. })).await;
    machine.clean().await;
}

#[tokio::test]
async fn shared_memory_and_device_memory_count_and_are_bounded() {
    let machine = Machine::new();
    let (_, printed) = machine
        .run("dd if=/dev/zero of=/dev/shm/x bs=1M count=100; dd if=/dev/zero of=/dev/x bs=1M count=1")
        .await;
    assert!(printed.contains("No space left on device"), "{printed}");
    assert!(printed.contains("can't open '/dev/x'"), "{printed}");
    machine.clean().await;
}
