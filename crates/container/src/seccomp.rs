//! The system call filter of containers, compiled when Kigo was built (`build.rs`; the lists are
//! in `seccomp/`). What is not known answers ENOSYS, what is known and refused answers EPERM.

use crate::sys;
use engine::Power;
use std::io;

static PLAIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/plain.bpf"));
/// For the power over images.
static IMAGES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/images.bpf"));

/// Puts this process and all it will ever start under the filter. It must already have
/// `no_new_privs`.
pub(crate) fn install(power: Power) -> io::Result<()> {
    sys::install_seccomp_filter(if power == Power::Images { IMAGES } else { PLAIN })
}

#[cfg(test)]
mod tests {
    use super::{IMAGES, PLAIN};
    use std::collections::BTreeMap;

    const ALLOW: u32 = 0x7fff_0000;
    const REFUSE: u32 = 0x0005_0001;
    const UNKNOWN: u32 = 0x0005_0026;
    const NO_FAMILY: u32 = 0x0005_0061;
    const KILL: u32 = 0x8000_0000;

    const ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };

    /// What the kernel's machine would answer (Linux, Documentation/networking/filter.rst).
    fn run(filter: &[u8], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_le_bytes());
        data.extend(architecture.to_le_bytes());
        data.extend(0_u64.to_le_bytes());
        data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
        let (mut accumulator, mut at) = (0_u32, 0);
        loop {
            let instruction: [u8; 8] = filter[at * 8..at * 8 + 8].try_into().unwrap();
            let k = u32::from_le_bytes(instruction[4..].try_into().unwrap());
            let jump = |yes: bool| usize::from(if yes { instruction[2] } else { instruction[3] });
            at += 1;
            match u16::from_le_bytes([instruction[0], instruction[1]]) {
                0x20 => {
                    let from = k as usize;
                    accumulator = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
                }
                0x54 => accumulator &= k,
                0x05 => at += k as usize,
                0x15 => at += jump(accumulator == k),
                0x25 => at += jump(accumulator > k),
                0x35 => at += jump(accumulator >= k),
                0x06 => return k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    fn ask(number: libc::c_long, arguments: [u64; 6]) -> u32 {
        run(PLAIN, ARCHITECTURE, number as u32, arguments)
    }

    /// A filter that allows just what a list has, as the library makes it.
    fn of_list(list: &str) -> Vec<u8> {
        let lines = list.lines().filter(|line| !line.starts_with('#'));
        let names = lines.filter_map(|line| match line.split_once(' ') {
            None => Some(line),
            Some((name, only)) => (only == std::env::consts::ARCH).then_some(name),
        });
        let rules: Vec<String> = names.map(|name| format!(r#"{{"syscall": "{name}"}}"#)).collect();
        let json = format!(
            r#"{{"it": {{"mismatch_action": "trap", "match_action": "allow", "filter": [{}]}}}}"#,
            rules.join(",")
        );
        let architecture = std::env::consts::ARCH.try_into().unwrap();
        let filters = seccompiler::compile_from_json(json.as_bytes(), architecture).unwrap();
        let words = filters["it"].iter().flat_map(|step| {
            {
                u64::from(step.code)
                    | u64::from(step.jt) << 16
                    | u64::from(step.jf) << 24
                    | u64::from(step.k) << 32
            }
            .to_le_bytes()
        });
        words.collect()
    }

    #[test]
    fn every_number_has_the_answer_that_the_lists_give_it() {
        let allowed = of_list(include_str!("../seccomp/allowed.txt"));
        let denied = of_list(include_str!("../seccomp/denied.txt"));
        let mixed = [libc::SYS_personality, libc::SYS_clone, libc::SYS_socket, libc::SYS_socketpair];
        let x32 = 0x4000_0000;
        let mut found = BTreeMap::new();
        for number in (0..2000).chain(x32..x32 + 600).chain([u32::MAX]) {
            if mixed.contains(&number.into()) {
                continue;
            }
            let has = |list| run(list, ARCHITECTURE, number, [0; 6]) == ALLOW;
            let expected = match (has(&allowed), has(&denied)) {
                (true, false) => ALLOW,
                (false, true) => REFUSE,
                (false, false) => UNKNOWN,
                (true, true) => panic!("{number} is in both lists"),
            };
            assert_eq!(ask(number.into(), [0; 6]), expected, "{number}");
            *found.entry(expected).or_insert(0) += 1;
        }
        assert!(found[&ALLOW] > 200 && found[&REFUSE] > 50 && found[&UNKNOWN] > 2000, "{found:?}");
    }

    #[test]
    fn arguments_decide_where_a_call_is_of_mixed_use() {
        let first = |number, argument| ask(number, [argument, 0, 0, 0, 0, 0]);
        for persona in [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
            assert_eq!(first(libc::SYS_personality, persona), ALLOW);
        }
        // ADDR_NO_RANDOMIZE.
        assert_eq!(first(libc::SYS_personality, 0x4_0000), UNKNOWN);

        let thread =
            libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
        for harmless in [libc::SIGCHLD, thread, libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD] {
            assert_eq!(first(libc::SYS_clone, harmless as u64), ALLOW);
        }
        for namespace in [
            libc::CLONE_NEWNS,
            libc::CLONE_NEWCGROUP,
            libc::CLONE_NEWUTS,
            libc::CLONE_NEWIPC,
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWPID,
            libc::CLONE_NEWNET,
        ] {
            assert_eq!(first(libc::SYS_clone, (namespace | libc::SIGCHLD) as u64), REFUSE);
            assert_eq!(first(libc::SYS_clone, (namespace | thread) as u64 | 1 << 40), REFUSE);
        }

        for family in 0..64 {
            let known = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].contains(&family);
            assert_eq!(
                first(libc::SYS_socket, family as u64),
                if known { ALLOW } else { NO_FAMILY },
                "{family}"
            );
            let pairs = family == libc::AF_UNIX;
            assert_eq!(
                first(libc::SYS_socketpair, family as u64),
                if pairs { ALLOW } else { REFUSE },
                "{family}"
            );
        }
        let netlink =
            |protocol: i32| ask(libc::SYS_socket, [libc::AF_NETLINK as u64, 3, protocol as u64, 0, 0, 0]);
        assert_eq!(netlink(libc::NETLINK_ROUTE), ALLOW);
        assert_eq!(netlink(libc::NETLINK_AUDIT), NO_FAMILY);
        // The kernel looks at 32 bits of these.
        assert_eq!(first(libc::SYS_socket, 1 << 32 | libc::AF_PACKET as u64), NO_FAMILY);
    }

    #[test]
    fn the_power_over_images_allows_what_its_list_has_and_no_more() {
        let of_images = of_list(include_str!("../seccomp/images.txt"));
        for number in (0..2000).filter(|number| i64::from(*number) != libc::SYS_clone) {
            let plain = run(PLAIN, ARCHITECTURE, number, [0; 6]);
            let listed = run(&of_images, ARCHITECTURE, number, [0; 6]) == ALLOW;
            let expected = if listed { ALLOW } else { plain };
            assert_eq!(run(IMAGES, ARCHITECTURE, number, [0; 6]), expected, "{number}");
        }
        let answer = |number: libc::c_long, flags: i32| {
            run(IMAGES, ARCHITECTURE, number as u32, [flags as u64, 0, 0, 0, 0, 0])
        };
        for call in [libc::SYS_clone, libc::SYS_unshare] {
            for given in [libc::CLONE_NEWNS, libc::CLONE_NEWUTS, libc::CLONE_NEWIPC, libc::CLONE_NEWPID] {
                assert_eq!(answer(call, given), ALLOW);
                for refused in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWCGROUP] {
                    assert_eq!(answer(call, given | refused), REFUSE);
                }
            }
        }
        // CLONE_NEWTIME, which clone(2) takes for a part of a signal's number.
        assert_eq!(answer(libc::SYS_unshare, 0x80), REFUSE);
        for call in [libc::SYS_bpf, libc::SYS_ptrace, libc::SYS_setns, libc::SYS_keyctl, libc::SYS_reboot] {
            assert_eq!(answer(call, 0), REFUSE);
        }
    }

    #[test]
    fn system_calls_of_another_architecture_end_the_process() {
        // AUDIT_ARCH_I386 and AUDIT_ARCH_ARM, where number 0 and 1 are other calls.
        for architecture in [0x4000_0003, 0x4000_0028] {
            assert_eq!(run(PLAIN, architecture, 0, [0; 6]), KILL);
        }
    }
}
