//! What a platform must not leave on the machine once it was purged.

use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// Fails with everything that still mentions the platform's folder or the addresses of its dynos,
/// which begin with `network`.
pub fn none(root: &Path, network: &str) -> Result<()> {
    let place = root.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for (what, text) in [
        ("mount", std::fs::read_to_string("/proc/self/mounts")?),
        ("process", processes()),
        ("link", stdout("ip", &["-brief", "link"])),
        ("route", stdout("ip", &["route"])),
    ] {
        found.extend(
            text.lines()
                .filter(|line| line.contains(&place) || line.contains(network))
                .map(|line| format!("{what}: {line}")),
        );
    }
    if !found.is_empty() {
        bail!("left behind:\n  {}", found.join("\n  "));
    }
    Ok(())
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
