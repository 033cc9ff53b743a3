//! What a platform must not leave on the machine once it was purged.

use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// Fails with everything that still mentions the data directory or its network.
pub fn none(data_dir: &Path) -> Result<()> {
    let place = data_dir.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for (what, text) in [
        ("mount", std::fs::read_to_string("/proc/self/mounts")?),
        ("process", processes()),
        ("link", stdout("ip", &["-brief", "link"])),
        ("route", stdout("ip", &["route"])),
    ] {
        found.extend(
            text.lines()
                .filter(|line| line.contains(&place) || line.contains(&network_of(data_dir)))
                .map(|line| format!("{what}: {line}")),
        );
    }
    if !found.is_empty() {
        bail!("left behind:\n  {}", found.join("\n  "));
    }
    Ok(())
}

/// The network that the tests give to the platform in this directory.
pub fn network_of(data_dir: &Path) -> String {
    let number =
        data_dir.to_string_lossy().bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    format!("10.{}.", 210 + number % 40)
}

fn processes() -> String {
    let own = std::process::id().to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else { return String::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy() != own)
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| line.windows(4).any(|part| part == b"kigo"))
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " ") + "\n")
        .collect()
}

fn stdout(program: &str, words: &[&str]) -> String {
    Command::new(program)
        .args(words)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}
