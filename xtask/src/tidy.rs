//! The layering rules, checked against what the manifests say.
//!
//! A crate may only use crates of the layers below it, and the pure ones may not reach for time,
//! files or the network. The table here is the one of ARCHITECTURE.md.

use crate::shell::read;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Crate → crates of the workspace that it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("wire", &[]),
    ("addons", &["domain"]),
    ("planner", &["domain"]),
    ("engine", &["domain"]),
    ("router", &["domain"]),
    ("logs", &["domain"]),
    ("tls", &[]),
    ("image", &["domain"]),
    ("container", &["domain", "engine", "image"]),
    ("builder", &["domain", "engine", "image"]),
    ("store", &["domain"]),
    ("postgres", &["domain"]),
    ("engine-local", &["domain", "engine", "container", "image"]),
    ("ops", &["domain", "store", "addons"]),
    ("reconcile", &["domain", "addons", "planner", "store", "ops", "engine", "builder", "image", "logs"]),
    ("api", &["domain", "addons", "wire", "ops", "logs"]),
    ("git", &["domain", "ops"]),
    ("registry", &["domain", "ops", "image"]),
    ("client", &["domain", "wire"]),
    ("cli", &["domain", "wire", "client"]),
];

/// Crates that put others together, which may use all of them.
const FREE: &[&str] = &["kigo", "e2e", "xtask"];

/// What must not be linked: one library does all cryptography, and it is aws-lc.
const BANNED: &[&str] = &["native-tls", "openssl", "openssl-sys", "ring", "rsa"];

/// Crates that decide without doing: what they must not depend on, and words they must not use.
const PURE: &[&str] = &["domain", "planner"];
const IMPURE_CRATES: &[&str] = &["tokio", "axum", "hyper", "reqwest", "sqlx", "rustix", "nix", "libc"];
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::process",
    "std::net::Tcp",
    "std::net::Udp",
    "Timestamp::now",
    "SystemTime::now",
    "Instant::now",
];

/// Fails with every broken rule named.
pub(crate) fn tidy() -> Result<()> {
    let metadata =
        read(Command::new("cargo").args(["metadata", "--format-version=1", "--no-deps", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata printed something else")?;
    let rules: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut broken = Vec::new();
    let packages = metadata["packages"].as_array().context("no packages in the workspace")?;
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        if !rules.contains_key(name) && !FREE.contains(&name) {
            broken.push(format!("{name} has no row in this table"));
        }
        let uses = package["dependencies"].as_array().cloned().unwrap_or_default();
        for dependency in uses.iter().filter(|dependency| dependency["kind"].is_null()) {
            let used = dependency["name"].as_str().unwrap_or_default();
            if let Some(allowed) = rules.get(name)
                && names.contains(&used)
                && !allowed.contains(&used)
            {
                broken.push(format!("{name} may not use {used}"));
            }
            if PURE.contains(&name) && IMPURE_CRATES.contains(&used) {
                broken.push(format!("{name} decides and may not use {used}"));
            }
        }
    }
    for name in linked()?.iter().filter(|name| BANNED.contains(&name.as_str())) {
        broken.push(format!("nothing may use the library {name}: see `cargo tree --invert {name}`"));
    }
    for name in PURE {
        words(&Path::new("crates").join(name).join("src"), &mut broken)?;
    }
    if !broken.is_empty() {
        bail!("broken layering rules:\n  {}", broken.join("\n  "));
    }
    Ok(())
}

/// The names of all packages that are compiled for this machine. Cargo.lock names more: what an
/// optional part, that is off, would use.
fn linked() -> Result<BTreeSet<String>> {
    let arguments =
        ["tree", "--workspace", "--edges", "all", "--prefix", "none", "--format", "{p}", "--locked"];
    let listing = read(Command::new("cargo").args(arguments))?;
    Ok(listing.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn words(folder: &Path, broken: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            words(&path, broken)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path)?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in IMPURE_WORDS.iter().filter(|word| code.contains(**word)) {
                broken.push(format!("{} may not say {word}", path.display()));
            }
        }
    }
    Ok(())
}
