//! Compiles the system call filters once, here: compiling them at each start of a container would
//! cost more than the rest of the start.

use seccompiler::{BpfMap, TargetArch, compile_from_json};
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// Conditions under which calls of mixed use are allowed; each line is one alternative.
const ALLOWED_IF: &[(&str, &str)] = &[
    // The personas Docker allows: Linux, 32-bit, and both with the UNAME26 flag; and the query.
    ("personality", r#"{"index": 0, "type": "qword", "op": "eq", "val": 0}"#),
    ("personality", r#"{"index": 0, "type": "qword", "op": "eq", "val": 8}"#),
    ("personality", r#"{"index": 0, "type": "qword", "op": "eq", "val": 131072}"#),
    ("personality", r#"{"index": 0, "type": "qword", "op": "eq", "val": 131080}"#),
    ("personality", r#"{"index": 0, "type": "dword", "op": "eq", "val": 4294967295}"#),
];

/// Conditions under which they are refused.
const DENIED_IF: &[(&str, &str)] = &[
    // New namespaces: mount, cgroup, uts, ipc, user, pid, net, time.
    ("clone", r#"{"index": 0, "type": "qword", "op": {"masked_eq": 131072}, "val": 131072}"#),
    ("clone", r#"{"index": 0, "type": "qword", "op": {"masked_eq": 33554432}, "val": 33554432}"#),
    ("clone", r#"{"index": 0, "type": "qword", "op": {"masked_eq": 67108864}, "val": 67108864}"#),
    ("clone", r#"{"index": 0, "type": "qword", "op": {"masked_eq": 134217728}, "val": 134217728}"#),
    ("clone", r#"{"index": 0, "type": "qword", "op": {"masked_eq": 268435456}, "val": 268435456}"#),
    ("clone", r#"{"index": 0, "type": "qword", "op": {"masked_eq": 536870912}, "val": 536870912}"#),
    ("clone", r#"{"index": 0, "type": "qword", "op": {"masked_eq": 1073741824}, "val": 1073741824}"#),
    // Socket families other than UNIX, INET, INET6 and NETLINK: rarely tended kernel code.
    (
        "socket",
        r#"{"index": 0, "type": "dword", "op": "ne", "val": 1},
           {"index": 0, "type": "dword", "op": "ne", "val": 2},
           {"index": 0, "type": "dword", "op": "ne", "val": 10},
           {"index": 0, "type": "dword", "op": "ne", "val": 16}"#,
    ),
    // Pairs of sockets can be had of other families, too.
    ("socketpair", r#"{"index": 0, "type": "dword", "op": "ne", "val": 1}"#),
    // The kernel's audit channel.
    (
        "socket",
        r#"{"index": 0, "type": "dword", "op": "eq", "val": 16},
           {"index": 2, "type": "dword", "op": "eq", "val": 9}"#,
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=seccomp");
    println!("cargo::rerun-if-changed=build.rs");
    let architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    let allowed = names("seccomp/allowed.txt", &architecture)?;
    let denied = names("seccomp/denied.txt", &architecture)?;
    let known = allowed.iter().chain(&denied).map(String::as_str).chain(["clone", "socket"]);
    let json = format!(
        r#"{{"allow": {{"mismatch_action": {{"errno": {ENOSYS}}}, "match_action": "allow", "filter": [{}]}},
            "deny": {{"mismatch_action": "allow", "match_action": {{"errno": {EPERM}}}, "filter": [{}]}}}}"#,
        rules(known, ALLOWED_IF)?,
        rules(denied.iter().map(String::as_str), DENIED_IF)?,
    );
    let filters = compile_from_json(json.as_bytes(), TargetArch::try_from(architecture.as_str())?)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    write_filter(&filters, "allow", &out)?;
    write_filter(&filters, "deny", &out)
}

fn names(path: &str, architecture: &str) -> Result<Vec<String>, Box<dyn Error>> {
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

fn rules<'a>(
    names: impl Iterator<Item = &'a str>,
    conditions: &[(&str, &str)],
) -> Result<String, Box<dyn Error>> {
    let mut rules = String::new();
    for name in names {
        write!(rules, r#"{{"syscall": "{name}"}},"#)?;
    }
    for (name, arguments) in conditions {
        write!(rules, r#"{{"syscall": "{name}", "args": [{arguments}]}},"#)?;
    }
    rules.pop();
    Ok(rules)
}

fn write_filter(filters: &BpfMap, name: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let program = filters.get(name).ok_or("the filter was not compiled")?;
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend_from_slice(&instruction.code.to_le_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_le_bytes());
    }
    Ok(fs::write(out.join(name).with_extension("bpf"), bytes)?)
}
