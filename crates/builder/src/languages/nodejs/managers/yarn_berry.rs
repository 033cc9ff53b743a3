//! Yarn 2 and later.

use crate::languages::nodejs::manager::{Facts, Manager, read_yaml};
use crate::languages::nodejs::package::Package;
use crate::languages::nodejs::words::NodeError;
use crate::source::has_file;
use serde_json::Value;
use std::path::Path;

/// What it is.
pub(in crate::languages::nodejs) const MANAGER: Manager = Manager {
    command: "yarn",
    label: "Yarn",
    package: "@yarnpkg/cli-dist",
    native: |_| None,
    // Elsewhere it is downloaded as this one file.
    checked_file: Some("bin/yarn.js"),
    lockfiles: &["yarn.lock"],
    lock_command: "yarn install",
    inputs: &[SETTINGS, ".yarn/releases", ".yarn/plugins", ".yarn/patches"],
    before: &[],
    after: &["preinstall", "install", "postinstall"],
    runs_hooks: false,
    links_directories: false,
    production: None,
    keep: Some("YARN2_SKIP_PRUNING"),
    refused: Some(("YARN_PRODUCTION", "YARN2_SKIP_PRUNING")),
    program: concat!(
        include_str!("yarn_berry.sh"),
        "\nprune_plugin=$(cat << 'END'\n",
        include_str!("yarn_berry.cjs"),
        "END\n)\n"
    ),
    facts,
    version_of_lockfile: |lock| Some(version_of_lockfile(lock)),
};

const SETTINGS: &str = ".yarnrc.yml";

/// Where it keeps packages, zipped.
const CACHE: &str = ".yarn/cache";

fn facts(tree: &Path, root: &Package) -> Result<Facts, NodeError> {
    let settings = read_yaml(tree, SETTINGS)?;
    let text = |name: &str| settings.get(name).and_then(Value::as_str);
    let vendored = text("yarnPath").map(|path| path.trim_start_matches("./").to_owned());
    if let Some(path) = vendored.as_ref().filter(|path| !has_file(tree, path)) {
        return Err(NodeError::NoVendoredRelease { file: SETTINGS, path: path.clone() });
    }
    let ignored = [".npmrc", ".yarnrc"].into_iter().filter(|name| has_file(tree, name)).collect();
    let has_node_modules = text("nodeLinker").is_some_and(|linker| linker != "pnp");
    let is_checked_in = tree.join(CACHE).read_dir().is_ok_and(|mut entries| entries.next().is_some());
    Ok(Facts {
        has_node_modules,
        vendored,
        // The app would run, but the files are the repository's.
        unprunable: (is_checked_in && !has_node_modules).then_some(".yarn/cache is checked in"),
        ignored,
        ..Facts::of(root)
    })
}

/// By the lockfile's own version, which grows with Yarn's.
fn version_of_lockfile(lock: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(lock);
    let version = text.lines().take(20).find_map(|line| line.strip_prefix("  version: "));
    match version.and_then(|version| version.trim().parse::<u64>().ok()) {
        Some(0..=4) => "2.x",
        Some(5 | 6) => "3.x",
        _ => ">=4",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lockfile_tells_which_line_made_it() {
        for (version, range) in [("4", "2.x"), ("6", "3.x"), ("8", ">=4"), ("10", ">=4"), ("x", ">=4")] {
            let lock = format!("# Generated\n\n__metadata:\n  version: {version}\n  cacheKey: 8\n");
            assert_eq!(version_of_lockfile(lock.as_bytes()), range, "{version}");
        }
        assert_eq!(version_of_lockfile(b""), ">=4");
    }

    #[test]
    fn its_settings_say_how_packages_are_installed() {
        for (settings, modules) in
            [("", false), ("nodeLinker: pnp\n", false), ("nodeLinker: node-modules\n", true)]
        {
            let tree = tempfile::tempdir().unwrap();
            std::fs::write(tree.path().join(SETTINGS), settings).unwrap();
            let read = || facts(tree.path(), &Package::default()).unwrap();
            assert_eq!((read().has_node_modules, read().unprunable), (modules, None), "{settings}");
            std::fs::create_dir_all(tree.path().join(CACHE).join("a.zip")).unwrap();
            assert_eq!(read().unprunable.is_none(), modules, "{settings}");
        }
    }

    #[test]
    fn a_release_that_is_named_has_to_be_there() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join(SETTINGS), "yarnPath: ./.yarn/yarn.cjs\n").unwrap();
        let error = facts(tree.path(), &Package::default()).unwrap_err();
        assert!(matches!(error, NodeError::NoVendoredRelease { path, .. } if path == ".yarn/yarn.cjs"));
        std::fs::create_dir(tree.path().join(".yarn")).unwrap();
        std::fs::write(tree.path().join(".yarn/yarn.cjs"), "").unwrap();
        let found = facts(tree.path(), &Package::default()).unwrap();
        assert_eq!(found.vendored.as_deref(), Some(".yarn/yarn.cjs"));
    }
}
