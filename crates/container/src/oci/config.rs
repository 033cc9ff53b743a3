//! The runtime's configuration (OCI runtime specification, `config.json`).

use super::seccomp;
use crate::bundle::Bundle;
use crate::power;
use crate::rootfs::RANGE;
use engine::{ContainerSpec, Limits, Terminal};
use serde_json::{Value, json};
use std::path::Path;

/// Runs the words after it as a child, which gets signals like any process and whose status is its
/// own. A shell says when a signal ended its child; nobody asked, so its standard error is closed.
const INIT: &str = r#"exec 3>&2 2>/dev/null; "$@" 2>&3 3>&-; exit $?"#;

/// Kernel interfaces that Docker and Podman hide from containers.
const MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
];

/// Those they let containers only read.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What the configuration needs beside the bundle.
pub(crate) struct Surroundings<'a> {
    /// The mounted root.
    pub root: &'a Path,
    /// Host id of the container's 0.
    pub uid_base: u32,
    /// The control group below the mount point of each hierarchy; `None` if the runtime is started
    /// in the right ones and is to leave them alone.
    pub cgroup: Option<&'a str>,
    /// `/bin/sh` is there.
    pub has_shell: bool,
}

/// The configuration of a container.
pub(crate) fn config(bundle: &Bundle, surroundings: &Surroundings) -> Value {
    let spec = &bundle.spec;
    let mapping = json!([{"containerID": 0, "hostID": surroundings.uid_base, "size": RANGE}]);
    let namespaces: Vec<Value> = ["user", "pid", "mount", "ipc", "uts", "cgroup"]
        .iter()
        .map(|kind| json!({"type": kind}))
        // The one that the shim is in.
        .chain([json!({"type": "network", "path": "/proc/self/ns/net"})])
        .collect();
    let mut config = json!({
        "ociVersion": "1.0.2",
        "root": {"path": surroundings.root, "readonly": false},
        "hostname": spec.hostname,
        "process": process(spec, surroundings.has_shell),
        "mounts": [
            // Upon itself, or runtimes would put devices of the host there.
            {
                "destination": "/dev", "type": "bind", "source": surroundings.root.join("dev"),
                "options": ["rbind", "nosuid", "noexec"],
            },
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {
                "destination": "/dev/pts", "type": "devpts", "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            },
        ],
        "linux": {
            "namespaces": namespaces,
            "uidMappings": mapping,
            "gidMappings": mapping,
            "seccomp": seccomp::profile(spec.power),
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    });
    if let Some(cgroup) = surroundings.cgroup {
        config["linux"]["cgroupsPath"] = json!(cgroup);
        config["linux"]["resources"] = resources(&spec.limits);
    }
    config
}

fn process(spec: &ContainerSpec, has_shell: bool) -> Value {
    let init = ["/bin/sh", "-c", INIT, "init"].map(str::to_owned);
    let shell: &[String] = if has_shell { &init } else { &[] };
    let arguments: Vec<&String> = shell.iter().chain(&spec.command).collect();
    let terminal = match spec.terminal {
        Terminal::Pty { columns, rows } => Some(json!({"width": columns, "height": rows})),
        Terminal::Log | Terminal::Pipes => None,
    };
    let kept = power::names(spec.power);
    let mut process = json!({
        "terminal": terminal.is_some(),
        "user": {"uid": spec.user, "gid": crate::launch::group_of(spec)},
        "args": arguments,
        "env": spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
        "cwd": spec.working_dir,
        "capabilities": {
            "bounding": kept, "effective": kept, "permitted": kept, "inheritable": [], "ambient": [],
        },
        "noNewPrivileges": true,
        "oomScoreAdj": 300,
        "rlimits": [{"type": "RLIMIT_CORE", "hard": 1, "soft": 1}],
    });
    if let Some(size) = terminal {
        process["consoleSize"] = size;
    }
    process
}

/// The same limits that the shim has set: a runtime that is not told them would lift them.
fn resources(limits: &Limits) -> Value {
    let mut cpu = json!({"shares": u64::from(limits.cpu_weight) * 1024 / 100});
    if let Some(millis) = limits.cpu_millis {
        cpu["period"] = json!(100_000);
        cpu["quota"] = json!(u64::from(millis) * 100);
    }
    json!({
        "memory": {"limit": limits.memory_max},
        "cpu": cpu,
        "pids": {"limit": limits.pids},
    })
}
