//! npm, which comes with Node.js.

use crate::languages::nodejs::manager::{Facts, Manager};

/// What it is.
pub(in crate::languages::nodejs) const MANAGER: Manager = Manager {
    command: "npm",
    label: "npm",
    package: "npm",
    native: |_| None,
    checked_file: None,
    lockfiles: &["package-lock.json", "npm-shrinkwrap.json"],
    lock_command: "npm install",
    inputs: &[".npmrc"],
    before: &[],
    after: &["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"],
    runs_hooks: true,
    links_directories: true,
    production: Some("NPM_CONFIG_PRODUCTION"),
    keep: None,
    refused: None,
    program: include_str!("npm.sh"),
    facts: |_, root| Ok(Facts::of(root)),
    version_of_lockfile: |_| None,
};
