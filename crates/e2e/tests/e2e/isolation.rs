//! What a dyno can reach from inside. Every closed door has a positive control: the same probe,
//! made where the door is open, so that a broken probe cannot pass for a closed door.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

const PROBES: &str = include_str!("probes.sh");

/// Probes of which the answer inside must be `open`: they show that the probes work there.
const OPEN_INSIDE: &[&str] = &["own-file", "null-device", "loopback"];

/// Probes that cannot be open on the host either, or would harm it there: closed inside is enough.
const NO_CONTROL: &[&str] = &[
    "remount",
    "kexec",
    "init-module",
    "mknod",
    "raw-disk",
    "kernel-memory",
    "sysctl",
    "sysrq",
    "cgroup-write",
    "set-time",
    "set-hostname",
];

fn read(output: &Output) -> BTreeMap<String, String> {
    let lines = output.stdout.lines().filter_map(|line| line.trim().split_once(": "));
    lines.map(|(name, answer)| (name.to_owned(), answer.to_owned())).collect()
}

/// An address that the host has while this value lives.
struct HostAddress(&'static str);

impl HostAddress {
    fn add(address: &'static str) -> Result<Self> {
        // Left over from a run that was killed: then it is there already, which is as good.
        let _ = Output::of(Command::new("ip").args(["address", "add", address, "dev", "lo"]))?;
        Ok(Self(address))
    }
}

impl Drop for HostAddress {
    fn drop(&mut self) {
        let _ = Output::of(Command::new("ip").args(["address", "delete", self.0, "dev", "lo"]));
    }
}

/// Other dynos, the host, the metadata service, the kernel's dangerous calls.
pub(crate) fn a_dyno_reaches_nothing_it_should_not(server: &Server) -> Result<()> {
    run(async {
        let other = App::tiny(server, "probed-app", "probed")?;
        other.push()?.ok()?;
        other.answers("probed from web.1").await?;
        let place: Value = serde_json::from_str(&other.get("/where").await?.body)?;
        let other_dyno = format!(
            "{}:{}",
            place["address"].as_str().context("no address")?,
            place["port"].as_str().context("no port")?
        );

        let app = App::tiny(server, "probing-app", "probing")?;
        app.write("probes.sh", PROBES)?;
        app.commit("probes")?;
        app.push()?.ok()?;

        let _metadata = HostAddress::add("169.254.169.254/32")?;
        let metadata = std::net::TcpListener::bind("169.254.169.254:80")?;
        let gateway = std::net::TcpListener::bind("169.254.1.1:0")?;
        let gateway_address = gateway.local_addr()?.to_string();
        let host_file = server.data().join("kigo.db").display().to_string();
        let (listeners, own) = accept_all([metadata, gateway])?;

        let outside = Output::of(
            Command::new("unshare")
                .args(["--mount", "--uts", "bash", "-c", PROBES, "/etc/passwd"])
                .args([&other_dyno, &gateway_address, &host_file])
                .env("LOCAL_PORT", own.to_string()),
        )?;
        let outside = read(&outside);
        let command = format!(
            "node -e 'require(\"net\").createServer().listen(7777, () => require(\"child_process\").spawn(\"bash\", [\"probes.sh\", \"{other_dyno}\", \"{gateway_address}\", \"{host_file}\", \"inside\"], {{stdio: \"inherit\", env: {{...process.env, LOCAL_PORT: \"7777\"}}}}).on(\"exit\", () => process.exit()))'"
        );
        let inside = app.heroku(&["run", "--no-tty", "--", &command])?.ok()?;
        let inside_all = inside.all();
        let inside = read(&inside);
        drop(listeners);
        ensure!(inside.len() > 25, "the probes did not run: {inside_all}");
        for (name, answer) in &inside {
            let open_inside = OPEN_INSIDE.contains(&name.as_str());
            ensure!((answer == "open") == open_inside, "inside, {name} is {answer}");
            if !open_inside && !NO_CONTROL.contains(&name.as_str()) {
                let control = outside.get(name).map(String::as_str);
                ensure!(
                    control == Some("open"),
                    "the control of {name} is {control:?}: the probe proves nothing"
                );
            }
        }
        Ok(())
    })
}

/// Accepts and drops connections on these listeners, and on one of loopback whose port is returned.
fn accept_all(listeners: [std::net::TcpListener; 2]) -> Result<(tokio::task::JoinSet<()>, u16)> {
    let loopback = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = loopback.local_addr()?.port();
    let mut tasks = tokio::task::JoinSet::new();
    for listener in listeners.into_iter().chain([loopback]) {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tasks.spawn(async move { while listener.accept().await.is_ok() {} });
    }
    Ok((tasks, port))
}

/// Processes, memory and disk are bounded, and the neighbour goes on answering.
pub(crate) fn a_dyno_cannot_take_the_machine_down(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "greedy-app", "greedy")?;
        app.push()?.ok()?;
        app.answers("greedy from web.1").await?;
        let one_off = |command: &str| app.heroku(&["run", "--no-tty", "--exit-code", "--", command]);

        // Controls first: what is within the limits works.
        one_off(
            "dd if=/dev/zero of=/app/some bs=1M count=50 && for i in $(seq 50); do sleep 5 & done; echo fine",
        )?
        .ok()?
        .says("fine")?;
        one_off("node -e 'Buffer.alloc(100 << 20, 1); console.log(\"held\")'")?.ok()?.says("held")?;

        // A disk filler gets an error at its own limit.
        one_off("dd if=/dev/zero of=/app/all bs=1M count=5000")?.fails()?.says("No space left on device")?;

        // A fork bomb meets its own limit of processes.
        let bomb = one_off("for i in $(seq 2000); do sleep 20 & done; echo survived")?;
        let bomb_all = bomb.all();
        ensure!(bomb_all.contains("Resource temporarily unavailable"), "no limit of processes: {bomb_all}");

        // A memory hog is killed alone.
        one_off("node -e 'const all = []; for (;;) all.push(Buffer.alloc(16 << 20, 1))'")?.fails()?;
        app.logs_say("Error R15 (Memory quota vastly exceeded)").await?;

        until("the neighbour to answer", async || match app.get("/").await {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
    })
}
