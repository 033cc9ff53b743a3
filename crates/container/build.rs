//! Compiles the system call filter once, here: compiling it at each start of a container would cost
//! more than the rest of the start.
//!
//! Its shape matters for the same reason. When a filter is installed, the kernel walks through it
//! once for every system call there is, to learn which are allowed whatever their arguments
//! (`seccomp_cache_prepare`, kernel/seccomp.c), and translates all of it to machine code. One test
//! for each name, one after the other, costs a millisecond; a tree that halves the range of numbers
//! until one answer is left costs less than a tenth of that.

use seccompiler::{BpfProgram, TargetArch, compile_from_json, sock_filter};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

// Instructions of the kernel's machine for filters (linux/bpf_common.h).
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// A call of mixed use: its arguments decide.
struct Mixed {
    name: &'static str,
    /// The answers, as `seccompiler` has them: if one of the conditions is true, and if none is.
    matching: &'static str,
    otherwise: &'static str,
    conditions: &'static [&'static str],
}

const ALLOW: &str = r#""allow""#;
const REFUSE: &str = r#"{"errno": 1}"#;
const UNKNOWN: &str = r#"{"errno": 38}"#;
/// EAFNOSUPPORT, as a kernel answers that was built without: programs then do without, where EPERM
/// makes some give up, such as those that add users and want the audit channel to hear of it.
const NO_FAMILY: &str = r#"{"errno": 97}"#;

/// Of containers with any power.
const MIXED: &[Mixed] = &[
    // The personas Docker allows: Linux, 32-bit, and both with the UNAME26 flag; and the query.
    Mixed {
        name: "personality",
        matching: ALLOW,
        otherwise: UNKNOWN,
        conditions: &[
            r#"{"index": 0, "type": "qword", "op": "eq", "val": 0}"#,
            r#"{"index": 0, "type": "qword", "op": "eq", "val": 8}"#,
            r#"{"index": 0, "type": "qword", "op": "eq", "val": 131072}"#,
            r#"{"index": 0, "type": "qword", "op": "eq", "val": 131080}"#,
            r#"{"index": 0, "type": "dword", "op": "eq", "val": 4294967295}"#,
        ],
    },
    Mixed {
        name: "socket",
        matching: NO_FAMILY,
        otherwise: ALLOW,
        conditions: &[
            // Families other than UNIX, INET, INET6 and NETLINK: rarely tended kernel code.
            r#"{"index": 0, "type": "dword", "op": "ne", "val": 1},
               {"index": 0, "type": "dword", "op": "ne", "val": 2},
               {"index": 0, "type": "dword", "op": "ne", "val": 10},
               {"index": 0, "type": "dword", "op": "ne", "val": 16}"#,
            // The kernel's audit channel.
            r#"{"index": 0, "type": "dword", "op": "eq", "val": 16},
               {"index": 2, "type": "dword", "op": "eq", "val": 9}"#,
        ],
    },
    // Pairs of sockets can be had of other families, too.
    Mixed {
        name: "socketpair",
        matching: REFUSE,
        otherwise: ALLOW,
        conditions: &[r#"{"index": 0, "type": "dword", "op": "ne", "val": 1}"#],
    },
];

/// Of containers that make no images: no new namespaces, which are mount, cgroup, uts, ipc, user, pid, net.
const MIXED_PLAIN: &[Mixed] = &[Mixed {
    name: "clone",
    matching: REFUSE,
    otherwise: ALLOW,
    conditions: &[
        r#"{"index": 0, "type": "qword", "op": {"masked_eq": 131072}, "val": 131072}"#,
        r#"{"index": 0, "type": "qword", "op": {"masked_eq": 33554432}, "val": 33554432}"#,
        r#"{"index": 0, "type": "qword", "op": {"masked_eq": 67108864}, "val": 67108864}"#,
        r#"{"index": 0, "type": "qword", "op": {"masked_eq": 134217728}, "val": 134217728}"#,
        r#"{"index": 0, "type": "qword", "op": {"masked_eq": 268435456}, "val": 268435456}"#,
        r#"{"index": 0, "type": "qword", "op": {"masked_eq": 536870912}, "val": 536870912}"#,
        r#"{"index": 0, "type": "qword", "op": {"masked_eq": 1073741824}, "val": 1073741824}"#,
    ],
}];

/// Of those that have the power over images: none of cgroup, user, net and, where it does not share its
/// bit with a signal, time.
const MIXED_IMAGES: &[Mixed] = &[
    Mixed {
        name: "clone",
        matching: REFUSE,
        otherwise: ALLOW,
        conditions: &[
            r#"{"index": 0, "type": "qword", "op": {"masked_eq": 33554432}, "val": 33554432}"#,
            r#"{"index": 0, "type": "qword", "op": {"masked_eq": 268435456}, "val": 268435456}"#,
            r#"{"index": 0, "type": "qword", "op": {"masked_eq": 1073741824}, "val": 1073741824}"#,
        ],
    },
    Mixed {
        name: "unshare",
        matching: REFUSE,
        otherwise: ALLOW,
        conditions: &[
            r#"{"index": 0, "type": "qword", "op": {"masked_eq": 128}, "val": 128}"#,
            r#"{"index": 0, "type": "qword", "op": {"masked_eq": 33554432}, "val": 33554432}"#,
            r#"{"index": 0, "type": "qword", "op": {"masked_eq": 268435456}, "val": 268435456}"#,
            r#"{"index": 0, "type": "qword", "op": {"masked_eq": 1073741824}, "val": 1073741824}"#,
        ],
    },
];

/// What the filter answers to the system calls from some number on: a program of its own.
type Answers = BTreeMap<u32, BpfProgram>;

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=seccomp");
    println!("cargo::rerun-if-changed=build.rs");
    let architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    let allowed = names("seccomp/allowed.txt", &architecture)?;
    let denied = names("seccomp/denied.txt", &architecture)?;
    let of_images = names("seccomp/images.txt", &architecture)?;
    write("plain.bpf", &allowed, &denied, MIXED_PLAIN, &architecture)?;
    // What its arguments decide is in no list.
    let mixed = |name: &String| MIXED_IMAGES.iter().any(|mixed| mixed.name == name);
    let denied: Vec<_> = denied.into_iter().filter(|name| !of_images.contains(name)).collect();
    let allowed: Vec<_> =
        allowed.into_iter().chain(of_images.into_iter().filter(|name| !mixed(name))).collect();
    write("images.bpf", &allowed, &denied, MIXED_IMAGES, &architecture)
}

/// Compiles one filter. `mixed` is what only it has.
fn write(
    file: &str,
    allowed: &[String],
    denied: &[String],
    mixed: &[Mixed],
    architecture: &str,
) -> Result<()> {
    let mut answers = Answers::new();
    for (names, answer) in [(allowed, allow()), (denied, errno(EPERM))] {
        for name in names {
            add(&mut answers, name, architecture, vec![answer.clone()])?;
        }
    }
    for mixed in MIXED.iter().chain(mixed) {
        add(&mut answers, mixed.name, architecture, by_arguments(mixed, architecture)?)?;
    }
    let bytes: Vec<u8> = filter(answers, architecture)?.iter().flat_map(encode).collect();
    Ok(fs::write(PathBuf::from(env::var("OUT_DIR")?).join(file), bytes)?)
}

fn names(path: &str, architecture: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for line in fs::read_to_string(path)?.lines().filter(|line| !line.starts_with('#')) {
        match line.split_once(' ') {
            None => names.push(line.to_owned()),
            Some((name, only)) if only == architecture => names.push(name.to_owned()),
            Some(_) => {}
        }
    }
    Ok(names)
}

fn add(answers: &mut Answers, name: &str, architecture: &str, answer: BpfProgram) -> Result<()> {
    match answers.insert(number(name, architecture)?, answer) {
        None => Ok(()),
        Some(_) => Err(format!("there are two answers to the system call {name}").into()),
    }
}

/// The number of a system call, from the filter that `seccompiler` makes for it alone.
fn number(name: &str, architecture: &str) -> Result<u32> {
    let program = compile(&format!(r#"{{"syscall": "{name}"}}"#), REFUSE, ALLOW, architecture)?;
    let compared: Vec<u32> =
        program.iter().filter(|step| step.code == JUMP_IF_EQUAL).map(|step| step.k).collect();
    match compared[..] {
        [of_architecture, number] if of_architecture == code(architecture)? => Ok(number),
        _ => Err(format!("the number of {name} cannot be told from {compared:x?}").into()),
    }
}

/// The whole filter of one call of mixed use.
fn by_arguments(mixed: &Mixed, architecture: &str) -> Result<BpfProgram> {
    let Mixed { name, matching, otherwise, conditions } = mixed;
    let rules: Vec<String> =
        conditions.iter().map(|all| format!(r#"{{"syscall": "{name}", "args": [{all}]}}"#)).collect();
    compile(&rules.join(","), matching, otherwise, architecture)
}

fn compile(rules: &str, matching: &str, otherwise: &str, architecture: &str) -> Result<BpfProgram> {
    let json = format!(
        r#"{{"it": {{"match_action": {matching}, "mismatch_action": {otherwise}, "filter": [{rules}]}}}}"#
    );
    let mut compiled = compile_from_json(json.as_bytes(), TargetArch::try_from(architecture)?)?;
    Ok(compiled.remove("it").ok_or("the filter was not compiled")?)
}

/// All answers in one program. What has none does not exist: so does all of x32, whose numbers
/// start above the others.
fn filter(mut answers: Answers, architecture: &str) -> Result<BpfProgram> {
    const NUMBER: u32 = 0;
    const ARCHITECTURE: u32 = 4;
    for number in answers.keys().copied().collect::<Vec<_>>() {
        answers.entry(number + 1).or_insert_with(|| vec![errno(ENOSYS)]);
    }
    answers.entry(0).or_insert_with(|| vec![errno(ENOSYS)]);
    let mut ranges: Vec<(u32, BpfProgram)> = answers.into_iter().collect();
    ranges.dedup_by(|later, earlier| later.1 == earlier.1);
    let mut program = vec![
        instruction(LOAD, 0, 0, ARCHITECTURE),
        instruction(JUMP_IF_EQUAL, 1, 0, code(architecture)?),
        // As seccompiler does: numbers of another architecture mean something else.
        kill(),
        instruction(LOAD, 0, 0, NUMBER),
    ];
    program.extend(tree(&ranges)?);
    Ok(program)
}

/// `AUDIT_ARCH_*` (linux/audit.h).
fn code(architecture: &str) -> Result<u32> {
    match architecture {
        "x86_64" => Ok(0xc000_003e),
        "aarch64" => Ok(0xc000_00b7),
        _ => Err(format!("no filter of system calls is known for {architecture}").into()),
    }
}

/// Finds the range that the loaded number is in, and answers as that does.
fn tree(ranges: &[(u32, BpfProgram)]) -> Result<BpfProgram> {
    if let [(_, answer)] = ranges {
        return Ok(answer.clone());
    }
    let (lower, upper) = ranges.split_at(ranges.len() / 2);
    let (first, _) = upper.first().ok_or("there are no answers")?;
    let (lower, upper) = (tree(lower)?, tree(upper)?);
    let length = u32::try_from(lower.len())?;
    // The condition itself could not skip more than 255 instructions.
    let mut program = vec![instruction(JUMP_IF_AT_LEAST, 0, 1, *first), instruction(JUMP, 0, 0, length)];
    program.extend(lower);
    program.extend(upper);
    Ok(program)
}

fn allow() -> sock_filter {
    answer(0x7fff_0000)
}

fn errno(number: u32) -> sock_filter {
    answer(0x0005_0000 | number)
}

fn kill() -> sock_filter {
    answer(0x8000_0000)
}

/// Ends the filter with a `SECCOMP_RET_*` (linux/seccomp.h).
fn answer(value: u32) -> sock_filter {
    instruction(RETURN, 0, 0, value)
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn encode(instruction: &sock_filter) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&instruction.code.to_le_bytes());
    bytes[2..4].copy_from_slice(&[instruction.jt, instruction.jf]);
    bytes[4..].copy_from_slice(&instruction.k.to_le_bytes());
    bytes
}
