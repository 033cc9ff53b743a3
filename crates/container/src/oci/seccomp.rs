//! The system call filter in the words of the OCI runtime specification, from the same lists that
//! the own launcher's filter is compiled from.

use engine::Power;
use serde_json::{Value, json};

const ALLOWED: &str = include_str!("../../seccomp/allowed.txt");
const DENIED: &str = include_str!("../../seccomp/denied.txt");
const OF_IMAGES: &str = include_str!("../../seccomp/images.txt");

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// Flags of clone(2) that make namespaces.
const NAMESPACES: u32 = libc::CLONE_NEWNS as u32
    | libc::CLONE_NEWCGROUP as u32
    | libc::CLONE_NEWUTS as u32
    | libc::CLONE_NEWIPC as u32
    | libc::CLONE_NEWUSER as u32
    | libc::CLONE_NEWPID as u32
    | libc::CLONE_NEWNET as u32;

/// Those that the power over images may make none of.
const NAMESPACES_OF_IMAGES: u32 =
    libc::CLONE_NEWCGROUP as u32 | libc::CLONE_NEWUSER as u32 | libc::CLONE_NEWNET as u32;
/// Of time, which shares its bit with a signal in clone(2).
const NEW_TIME: u32 = 0x80;

/// Personalities that Docker allows, and the query for the current one.
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Families of sockets that programs use: UNIX, INET, INET6 and NETLINK.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// The value of `linux.seccomp`. What is in neither list answers ENOSYS, what is refused EPERM.
pub(super) fn profile(power: Power) -> Value {
    let equals = |value: u64| json!([{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]);
    let allow = |name: &str, arguments: Value| json!({"names": [name], "action": "SCMP_ACT_ALLOW", "args": arguments});
    let without =
        |flags: u32| json!([{"index": 0, "value": flags, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]);
    let of_images = if power == Power::Images { names(OF_IMAGES) } else { Vec::new() };
    let namespaces = if power == Power::Images { NAMESPACES_OF_IMAGES } else { NAMESPACES };
    let denied: Vec<_> = names(DENIED).into_iter().filter(|name| !of_images.contains(name)).collect();
    let mut calls = vec![
        json!({"names": names(ALLOWED), "action": "SCMP_ACT_ALLOW"}),
        allow("socketpair", equals(libc::AF_UNIX as u64)),
        json!({"names": denied, "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM}),
        allow("clone", without(namespaces)),
    ];
    for name in of_images {
        match name {
            "unshare" => calls.push(allow(name, without(namespaces | NEW_TIME))),
            _ => calls.push(json!({"names": [name], "action": "SCMP_ACT_ALLOW"})),
        }
    }
    calls.extend(PERSONALITIES.map(|persona| allow("personality", equals(persona))));
    calls.extend(FAMILIES.map(|family| allow("socket", equals(family as u64))));
    json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": ENOSYS, "syscalls": calls})
}

/// The system calls of a list that this machine's architecture has.
fn names(list: &str) -> Vec<&str> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| match line.split_once(' ') {
            None => Some(line),
            Some((name, architecture)) => (architecture == std::env::consts::ARCH).then_some(name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dangerous_calls_are_refused_and_common_ones_allowed() {
        let profile = |power| profile(power)["syscalls"].clone();
        let [plain, images] = [Power::Plain, Power::Images].map(profile);
        let action_in = |calls: &Value, name: &str| {
            let calls = calls.as_array().expect("rules");
            let rule =
                calls.iter().find(|rule| rule["names"].as_array().expect("names").contains(&json!(name)));
            rule.map(|rule| rule["action"].as_str().expect("action").to_owned())
        };
        let action = |name: &str| action_in(&plain, name);
        for name in ["read", "execve", "futex", "epoll_wait"] {
            assert_eq!(action(name).as_deref(), Some("SCMP_ACT_ALLOW"), "{name}");
        }
        for name in ["mount", "unshare", "setns", "ptrace", "bpf", "keyctl", "reboot"] {
            assert_eq!(action(name).as_deref(), Some("SCMP_ACT_ERRNO"), "{name}");
        }
        for (name, expected) in
            [("mount", "SCMP_ACT_ALLOW"), ("unshare", "SCMP_ACT_ALLOW"), ("bpf", "SCMP_ACT_ERRNO")]
        {
            assert_eq!(action_in(&images, name).as_deref(), Some(expected), "{name}");
        }
        // Answering ENOSYS makes the C library use clone, whose flags a filter can see.
        assert_eq!(action("clone3"), None);
    }
}
