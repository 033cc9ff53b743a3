//! Real containers on this machine, from an image of busybox. Each test has a data directory of
//! its own and plays its host in fresh network and mount namespaces; whatever it started is
//! destroyed at its end, also when it failed. Needs root and a static busybox.

mod machine;

use domain::Digest;
use engine::contract::{self, Subject};
use engine::fake::Step;
use engine::{ContainerId, Engine, EngineError, Status};
use machine::{Machine, control_groups_of, interfaces, on_machine, on_machine_with, text_of};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

#[async_trait::async_trait]
impl Subject for Machine {
    async fn engine(&self) -> Arc<dyn Engine> {
        Arc::new(self.open().await)
    }

    fn image(&self) -> Digest {
        self.image
    }

    fn prepare(&self, _: ContainerId, _: &[Step]) {}
}

#[test]
fn the_local_engine_keeps_the_contract() {
    on_machine(async |machine| contract::run(machine).await);
}

#[test]
fn crun_keeps_the_contract() {
    with_runtime("crun");
}

/// `KIGO_TEST_RUNC` may name another program than the one that is installed.
#[test]
fn runc_keeps_the_contract() {
    with_runtime(&std::env::var("KIGO_TEST_RUNC").unwrap_or_else(|_| "runc".to_owned()));
}

fn with_runtime(name: &str) {
    let runtime = name.parse().unwrap_or_else(|error| panic!("install the package {name}: {error}"));
    on_machine_with(runtime, async |machine| contract::run(machine).await);
    // Runtimes make their standard input the container's, and it must not be the host's.
    let null = std::fs::metadata("/dev/null").expect("null");
    assert_eq!(null.uid(), 0, "the host's /dev/null has another owner");
}

#[test]
fn what_runs_is_measured() {
    on_machine(async |machine| {
        let engine = machine.open().await;
        let script = "x=$(head -c 3000000 /dev/zero | tr '\\0' x); echo ready; sleep 1000; echo $x";
        let id = machine.start(&engine, machine.shell(script)).await;
        assert_eq!(text_of(engine.output(id, 0).await.expect("output").recv().await), "ready");
        let usage = async || engine.observe_one(id).await.expect("observe").usage;
        // `sleep` begins after the word that announces it.
        let deadline = std::time::Instant::now() + Duration::from_mins(1);
        while usage().await.pids != 2 {
            assert!(
                std::time::Instant::now() < deadline,
                "not a shell and what it waits for: {:?}",
                usage().await
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let usage = usage().await;
        assert!(usage.memory_rss > 3_000_000 && usage.memory_rss < 64 << 20, "{usage:?}");
        assert!(usage.cpu_nanos > 0, "{usage:?}");
        engine.remove(id).await.expect("remove");
    });
}

#[test]
fn a_container_sees_its_own_network_and_not_the_hosts() {
    on_machine(async |machine| {
        let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.expect("listen");
        let port = listener.local_addr().expect("address").port();
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("the host reaches itself");
        let engine = machine.open().await;
        let script = format!(
            "cat /etc/resolv.conf; grep dyno /etc/hosts | cut -f1; nc -w 3 169.254.1.1 {port} </dev/null && echo reached the host; \
             nc -w 3 127.0.0.1 {port} </dev/null && echo reached its loopback; ls /sys/class/net; cat /etc/hostname"
        );
        let id = machine.start(&engine, machine.shell(&script)).await;
        let address = engine.observe_one(id).await.expect("observe").address.expect("an address").to_string();
        let mut lines = engine.output(id, 0).await.expect("output");
        let mut printed = Vec::new();
        while let Some(line) = lines.recv().await {
            printed.push(text_of(Some(line)));
        }
        let printed: Vec<_> = printed.iter().filter(|line| !line.starts_with("nc:")).collect();
        assert_eq!(printed, ["nameserver 10.53.0.53", &address, "eth0", "lo", "dyno"]);
        engine.remove(id).await.expect("remove");
    });
}

#[test]
fn a_removed_container_leaves_nothing() {
    on_machine(async |machine| {
        let engine = machine.open().await;
        let running = machine.start(&engine, machine.shell("exec sleep 1000")).await;
        let ended = machine.start(&engine, machine.shell("echo $$")).await;
        engine.wait(ended).await.expect("wait");
        let mut both = [running, ended].map(|id| id.to_string());
        both.sort();
        assert_eq!(machine.containers(), both);
        engine.remove(running).await.expect("remove");
        engine.remove(ended).await.expect("remove");
        engine.settle().await;
        assert_eq!(machine.containers(), [""; 0]);
        assert_eq!(interfaces(), ["lo"]);
        assert_eq!(control_groups_of(&[running, ended]), [""; 0]);
        assert_eq!(machine.mounts(), [""; 0]);
    });
}

#[test]
fn starts_that_were_cut_short_are_cleared_away() {
    on_machine(async |machine| {
        let id = ContainerId::from_u128(7);
        let half = machine.data_dir().join("containers").join(id.to_string());
        std::fs::create_dir_all(&half).expect("directory");
        let engine = machine.open().await;
        assert!(!half.exists());
        assert!(matches!(engine.observe_one(id).await, Err(EngineError::NotFound(_))));
    });
}

#[test]
fn a_start_goes_on_when_nobody_waits_for_it() {
    on_machine(async |machine| {
        let engine = machine.open().await;
        let spec = machine.shell("echo done");
        let id = spec.id;
        let cut = tokio::time::timeout(Duration::ZERO, engine.start(spec.clone())).await;
        assert!(cut.is_err(), "a start takes longer than nothing");
        // The second waits for its turn and finds that there is nothing to do.
        engine.start(spec).await.expect("start");
        assert_eq!(engine.wait(id).await.expect("wait").code, 0);
        assert_eq!(engine.observe().await.expect("observe").len(), 1);
        engine.remove(id).await.expect("remove");
    });
}

#[test]
fn many_containers_start_at_once() {
    on_machine(async |machine| {
        let engine = Arc::new(machine.open().await);
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let (engine, spec) = (Arc::clone(&engine), machine.shell("sleep 0.2; echo ok"));
            starts.spawn(async move {
                let id = spec.id;
                engine.start(spec).await.expect("start");
                assert_eq!(engine.wait(id).await.expect("wait").code, 0);
                let seen = engine.observe_one(id).await.expect("observe");
                assert!(matches!(seen.status, Status::Exited { .. }));
                seen.address.expect("an address")
            });
        }
        let mut addresses = starts.join_all().await;
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 12);
    });
}

/// Where the server that is killed notes what it has kept, a line for each: sequence and text.
const KEPT: &str = "kept";
const DATA: &str = "KIGO_TEST_DATA";
const SPEC: &str = "KIGO_TEST_SPEC";
const LINES: u64 = 300;

#[test]
fn a_server_that_is_killed_costs_no_line_and_no_container() {
    on_machine(async |machine| {
        let script =
            format!("i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; sleep 0.01; done; exit 4");
        let spec = machine.shell(&script);
        let id = spec.id;
        let mut server = std::process::Command::new(std::env::current_exe().expect("this program"))
            .args(["the_server_that_is_killed", "--exact", "--ignored"])
            .env(DATA, machine.data_dir())
            .env(SPEC, serde_json::to_string(&spec).expect("JSON"))
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("server");
        let kept = || std::fs::read_to_string(machine.data_dir().join(KEPT)).unwrap_or_default();
        let deadline = std::time::Instant::now() + Duration::from_mins(1);
        while kept().lines().count() < 50 {
            assert!(std::time::Instant::now() < deadline, "the server keeps nothing: {}", kept());
            assert!(server.try_wait().expect("server").is_none(), "the server ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.kill().expect("kill");
        server.wait().expect("server");

        // Half a line was never acknowledged, so it comes again.
        let whole = kept().rsplit_once('\n').map(|(whole, _)| whole.to_owned()).expect("whole lines");
        let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        assert!((lines.len() as u64) < LINES, "killed too late to show anything");
        let engine = machine.open().await;
        let seen = engine.observe_one(id).await.expect("observe");
        assert!(matches!(seen.status, Status::Running { .. }), "{:?}", seen.status);
        let mut rest = engine.output(id, lines.len() as u64).await.expect("output");
        while let Some(line) = rest.recv().await {
            let sequence = line.sequence;
            lines.push(format!("{sequence} {}", text_of(Some(line))));
        }
        let expected: Vec<_> = (1..=LINES).map(|number| format!("{number} {number}")).collect();
        assert_eq!(lines, expected);
        assert_eq!(engine.wait(id).await.expect("wait").code, 4);
        engine.remove(id).await.expect("remove");
    });
}

#[test]
#[ignore = "plays the server of another test, which runs it as a process"]
fn the_server_that_is_killed() {
    let data = std::path::PathBuf::from(std::env::var_os(DATA).expect("run by its test only"));
    let spec: engine::ContainerSpec =
        serde_json::from_str(&std::env::var(SPEC).expect("a spec")).expect("a spec in JSON");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let engine = machine::open(&data, engine_local::Runtime::Own).await;
        let id = spec.id;
        engine.start(spec).await.expect("start");
        let mut kept = std::fs::File::create(data.join(KEPT)).expect("file");
        let mut lines = engine.output(id, 0).await.expect("output");
        while let Some(line) = lines.recv().await {
            let sequence = line.sequence;
            writeln!(kept, "{sequence} {}", text_of(Some(line))).expect("write");
            engine.acknowledge(id, sequence).await.expect("acknowledge");
        }
    });
}
