//! What several unit tests need.

use engine::{ContainerSpec, Limits, Power, Terminal};

/// A spec with nothing special in it.
pub(crate) fn spec() -> ContainerSpec {
    let digest = format!("sha256:{}", "0".repeat(64));
    ContainerSpec {
        id: uuid::Uuid::new_v4(),
        labels: std::collections::BTreeMap::new(),
        image: digest.parse().expect("a digest"),
        command: vec!["true".into()],
        env: std::collections::BTreeMap::new(),
        working_dir: "/".into(),
        hostname: "dyno".into(),
        user: 1000,
        group: None,
        power: Power::Plain,
        limits: Limits {
            memory: 64 << 20,
            memory_max: 128 << 20,
            cpu_weight: 100,
            cpu_millis: None,
            pids: 64,
            disk: 64 << 20,
        },
        terminal: Terminal::Log,
        mounts: vec![],
        volumes: Vec::new(),
        address: None,
        reach: Vec::new(),
        watch_port: None,
        time_limit: None,
    }
}
