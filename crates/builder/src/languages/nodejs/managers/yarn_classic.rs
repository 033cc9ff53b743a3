//! Yarn 1.

use crate::languages::nodejs::manager::{Facts, Manager, read};
use crate::languages::nodejs::package::Package;
use crate::languages::nodejs::words::NodeError;
use crate::source::has_file;
use std::path::Path;

/// What it is.
pub(in crate::languages::nodejs) const MANAGER: Manager = Manager {
    command: "yarn",
    label: "Yarn 1",
    package: "yarn",
    native: |_| None,
    checked_file: None,
    lockfiles: &["yarn.lock"],
    lock_command: "yarn install",
    inputs: &[".npmrc", ".yarnrc", ".yarn/releases"],
    before: &["preinstall"],
    after: &["install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"],
    runs_hooks: true,
    links_directories: false,
    production: Some("YARN_PRODUCTION"),
    keep: None,
    refused: None,
    program: include_str!("yarn_classic.sh"),
    facts,
    version_of_lockfile: |_| Some("1.22.x"),
};

fn facts(tree: &Path, root: &Package) -> Result<Facts, NodeError> {
    let settings = read(tree, ".yarnrc")?.unwrap_or_default();
    let vendored = release(&String::from_utf8_lossy(&settings));
    if let Some(path) = vendored.as_ref().filter(|path| !has_file(tree, path)) {
        return Err(NodeError::NoVendoredRelease { file: ".yarnrc", path: path.clone() });
    }
    Ok(Facts { vendored, ..Facts::of(root) })
}

/// The value of `yarn-path`, in or without quotes.
fn release(settings: &str) -> Option<String> {
    let value = settings.lines().find_map(|line| line.trim().strip_prefix("yarn-path"))?;
    let value = value.trim().trim_matches('"').trim_start_matches("./");
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_may_be_checked_in() {
        for (settings, path) in [
            ("", None),
            (
                "registry \"https://r\"\nyarn-path \"./.yarn/releases/yarn.cjs\"\n",
                Some(".yarn/releases/yarn.cjs"),
            ),
            ("yarn-path .yarn/y.js", Some(".yarn/y.js")),
        ] {
            assert_eq!(release(settings).as_deref(), path, "{settings}");
        }
    }
}
