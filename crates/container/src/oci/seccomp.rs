//! The system call filter in the words of the OCI runtime specification, from the same lists that
//! the own launcher's filter is compiled from.

use serde_json::{Value, json};

const ALLOWED: &str = include_str!("../../seccomp/allowed.txt");
const DENIED: &str = include_str!("../../seccomp/denied.txt");

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

/// Personalities that Docker allows, and the query for the current one.
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Families of sockets that programs use: UNIX, INET, INET6 and NETLINK.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// The value of `linux.seccomp`. What is in neither list answers ENOSYS, what is refused EPERM.
pub(super) fn profile() -> Value {
    let equals = |value: u64| json!([{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]);
    let allow = |name: &str, arguments: Value| json!({"names": [name], "action": "SCMP_ACT_ALLOW", "args": arguments});
    let no_namespace = json!([{"index": 0, "value": NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]);
    let mut calls = vec![
        json!({"names": names(ALLOWED), "action": "SCMP_ACT_ALLOW"}),
        allow("socketpair", equals(libc::AF_UNIX as u64)),
        json!({"names": names(DENIED), "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM}),
        allow("clone", no_namespace),
    ];
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
        let profile = profile();
        let action = |name: &str| {
            let calls = profile["syscalls"].as_array().expect("rules");
            let rule =
                calls.iter().find(|rule| rule["names"].as_array().expect("names").contains(&json!(name)));
            rule.map(|rule| rule["action"].as_str().expect("action").to_owned())
        };
        for name in ["read", "execve", "futex", "epoll_wait"] {
            assert_eq!(action(name).as_deref(), Some("SCMP_ACT_ALLOW"), "{name}");
        }
        for name in ["mount", "unshare", "setns", "ptrace", "bpf", "keyctl", "reboot"] {
            assert_eq!(action(name).as_deref(), Some("SCMP_ACT_ERRNO"), "{name}");
        }
        // Answering ENOSYS makes the C library use clone, whose flags a filter can see.
        assert_eq!(action("clone3"), None);
    }
}
