//! pnpm.

use crate::languages::nodejs::manager::{Facts, Manager, read_yaml};
use crate::languages::nodejs::package::{Package, texts};
use crate::languages::nodejs::words::NodeError;
use std::path::Path;

/// What it is.
pub(in crate::languages::nodejs) const MANAGER: Manager = Manager {
    command: "pnpm",
    label: "pnpm",
    package: "pnpm",
    native,
    checked_file: None,
    lockfiles: &["pnpm-lock.yaml"],
    lock_command: "pnpm install",
    inputs: &[".npmrc", "pnpm-workspace.yaml", ".pnpmfile.cjs", ".pnpmfile.mjs", "patches"],
    before: &[],
    after: &[
        "pnpm:devPreinstall",
        "preinstall",
        "install",
        "postinstall",
        "preprepare",
        "prepare",
        "postprepare",
    ],
    runs_hooks: true,
    links_directories: false,
    production: None,
    keep: Some("PNPM_SKIP_PRUNING"),
    refused: None,
    program: include_str!("pnpm.sh"),
    facts,
    version_of_lockfile: |lock| Some(version_of_lockfile(lock)),
};

/// From version 12 on it is a program of its own, for each kind of machine in another package.
fn native(major: u64) -> Option<&'static str> {
    let package = match std::env::consts::ARCH {
        "aarch64" => "@pnpm/exe.linux-arm64",
        _ => "@pnpm/exe.linux-x64",
    };
    (major >= 12).then_some(package)
}

fn facts(tree: &Path, root: &Package) -> Result<Facts, NodeError> {
    let workspace = read_yaml(tree, "pnpm-workspace.yaml")?;
    Ok(Facts { workspaces: texts(workspace.get("packages")), ..Facts::of(root) })
}

/// By the lockfile's own version, which is not pnpm's.
fn version_of_lockfile(lock: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(lock);
    let version = text.lines().take(200).find_map(|line| line.strip_prefix("lockfileVersion:"));
    let version = version.map(|version| version.trim().trim_matches(['\'', '"']));
    match version.and_then(|version| version.split('.').next()).and_then(|major| major.parse::<u64>().ok()) {
        Some(0..=4) => "<6",
        Some(5) if version == Some("5.4") => "7.x",
        Some(5) => "6.x",
        Some(6..=8) => "8.x",
        _ => ">=9",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lockfile_tells_which_line_made_it() {
        for (version, range) in [
            ("5.3", "6.x"),
            ("5.4", "7.x"),
            ("'6.0'", "8.x"),
            ("'9.0'", ">=9"),
            ("\"12.0\"", ">=9"),
            ("", ">=9"),
        ] {
            let lock = format!("lockfileVersion: {version}\n\nsettings:\n");
            assert_eq!(version_of_lockfile(lock.as_bytes()), range, "{version}");
        }
    }

    #[test]
    fn its_workspace_has_a_file() {
        let tree = tempfile::tempdir().unwrap();
        let workspaces = |text: &str| {
            std::fs::write(tree.path().join("pnpm-workspace.yaml"), text).unwrap();
            facts(tree.path(), &Package::default()).map(|facts| facts.workspaces)
        };
        assert_eq!(workspaces("packages:\n  - apps/*\n  - '!apps/old'\n").unwrap(), ["apps/*", "!apps/old"]);
        assert_eq!(workspaces("# nothing yet\n").unwrap(), [""; 0]);
        assert_eq!(workspaces("onlyBuiltDependencies: [a]\n").unwrap(), [""; 0]);
        assert!(matches!(workspaces("packages: ["), Err(NodeError::NotYaml { .. })));
    }
}
