//! Limits as the files of control groups want them (Linux, Documentation/admin-guide/cgroup-v1
//! and cgroup-v2).

use super::hierarchy::Version;
use engine::Limits;

/// One value for one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Knob {
    pub controller: &'static str,
    pub version: Version,
    pub file: &'static str,
    pub value: String,
    /// Kernels exist that have the controller without this file.
    pub optional: bool,
}

/// Length of the period over which a CPU quota counts, in microseconds; the kernel's default.
const PERIOD: u64 = 100_000;

/// Everything to write, in an order that the kernel accepts for a new group.
pub(super) fn limits(limits: &Limits) -> Vec<Knob> {
    let knob = |version, controller, file, value: String, optional| Knob {
        controller,
        version,
        file,
        value,
        optional,
    };
    let one = |controller, file, value, optional| knob(Version::One, controller, file, value, optional);
    let two = |controller, file, value, optional| knob(Version::Two, controller, file, value, optional);
    let memory = limits.memory_max.max(limits.memory);
    // Init is a process, too, but not one of the user's.
    let pids = u64::from(limits.pids) + 1;
    let quota = limits.cpu_millis.map(|millis| (u64::from(millis) * PERIOD / 1000).max(1000));
    vec![
        one("memory", "memory.limit_in_bytes", memory.to_string(), false),
        // Memory and swap together: no swap. Only where swap is accounted.
        one("memory", "memory.memsw.limit_in_bytes", memory.to_string(), true),
        one("memory", "memory.swappiness", "0".into(), true),
        two("memory", "memory.max", memory.to_string(), false),
        two("memory", "memory.swap.max", "0".into(), true),
        two("memory", "memory.oom.group", "1".into(), true),
        one("cpu", "cpu.shares", shares(limits.cpu_weight).to_string(), false),
        one("cpu", "cpu.cfs_quota_us", quota.map_or("-1".into(), |quota| quota.to_string()), true),
        two("cpu", "cpu.weight", limits.cpu_weight.clamp(1, 10_000).to_string(), false),
        two(
            "cpu",
            "cpu.max",
            quota.map_or(format!("max {PERIOD}"), |quota| format!("{quota} {PERIOD}")),
            true,
        ),
        one("pids", "pids.max", pids.to_string(), false),
        two("pids", "pids.max", pids.to_string(), false),
    ]
}

/// Version 1 counts a weight of 100 as 1024 shares.
fn shares(weight: u32) -> u64 {
    (u64::from(weight) * 1024 / 100).clamp(2, 262_144)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(version: Version, cpu_weight: u32, cpu_millis: Option<u32>) -> Vec<String> {
        let limits_in = Limits { memory: 512, memory_max: 1024, cpu_weight, cpu_millis, pids: 256, disk: 1 };
        let knobs = limits(&limits_in).into_iter().filter(|knob| knob.version == version);
        knobs.map(|knob| format!("{}={}", knob.file, knob.value)).collect()
    }

    #[test]
    fn limits_are_written_as_each_version_wants_them() {
        assert_eq!(
            values(Version::One, 200, Some(1500)),
            [
                "memory.limit_in_bytes=1024",
                "memory.memsw.limit_in_bytes=1024",
                "memory.swappiness=0",
                "cpu.shares=2048",
                "cpu.cfs_quota_us=150000",
                "pids.max=257"
            ]
        );
        assert_eq!(
            values(Version::Two, 200, Some(1500)),
            [
                "memory.max=1024",
                "memory.swap.max=0",
                "memory.oom.group=1",
                "cpu.weight=200",
                "cpu.max=150000 100000",
                "pids.max=257"
            ]
        );
    }

    #[test]
    fn values_stay_within_what_the_kernel_accepts() {
        assert!(values(Version::One, 0, None).contains(&"cpu.shares=2".to_owned()));
        assert!(values(Version::One, u32::MAX, None).contains(&"cpu.shares=262144".to_owned()));
        assert!(values(Version::One, 1, Some(0)).contains(&"cpu.cfs_quota_us=1000".to_owned()));
        assert!(values(Version::Two, 0, None).contains(&"cpu.weight=1".to_owned()));
        assert!(values(Version::Two, 100_000, None).contains(&"cpu.weight=10000".to_owned()));
        assert!(values(Version::Two, 1, None).contains(&"cpu.max=max 100000".to_owned()));
    }
}
