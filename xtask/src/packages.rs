//! What has to be on the machine, and how it gets there.

use crate::shell::{has, read, run, step};
use anyhow::{Result, bail};
use std::process::Command;

/// A program and the Debian package that brings it.
type Need = (&'static str, &'static str);

/// What the platform itself calls.
pub(crate) const SERVER: &[Need] = &[
    ("git", "git"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("mmdebstrap", "mmdebstrap"),
    ("mkfs.ext4", "e2fsprogs"),
    ("cc", "build-essential"),
    ("curl", "curl"),
];

/// What the tests call on top of it.
pub(crate) const TESTS: &[Need] = &[
    ("busybox", "busybox-static"),
    ("crun", "crun"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("psql", "postgresql-client"),
    ("python3", "python3"),
    ("runc", "runc"),
    ("skopeo", "skopeo"),
    ("ssh-keygen", "openssh-client"),
];

/// What the benchmarks call on top of it.
pub(crate) const BENCH: &[Need] = &[("nginx", "nginx-light"), ("wrk", "wrk")];

/// Installs what is missing, in one call of apt.
pub(crate) fn install(needs: &[&[Need]]) -> Result<()> {
    let missing: Vec<&str> = needs
        .iter()
        .copied()
        .flatten()
        .filter(|(program, _)| !has(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !has("apt-get") {
        bail!("please install these Debian packages or what provides them here: {}", missing.join(" "));
    }
    require_root("installing packages")?;
    step(&format!("installing {}", missing.join(" ")));
    run(Command::new("apt-get").args(["update", "-q"]))?;
    run(Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(missing))
}

/// Containers, networks and control groups need root.
pub(crate) fn require_root(what: &str) -> Result<()> {
    if read(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("{what} needs root; run this command again with sudo");
    }
    Ok(())
}
