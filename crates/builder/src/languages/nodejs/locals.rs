//! Packages that lie in the app: those of its workspace, and directories that it depends on. Their
//! scripts run in every build, and their `package.json` decide what gets installed.

use super::manager::{Facts, Manager};
use super::package::{Package, Within};
use super::words::NodeError;
use crate::source::has_file;
use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path};

/// Directories that are searched for packages, at most, and how deep.
const DIRECTORIES: usize = 100_000;
const DEPTH: usize = 16;

/// Bytes of all their `package.json` together, at most: they are held in this process, where each takes
/// many times its size.
const BYTES: usize = 8 << 20;

/// The app's own packages.
#[derive(Debug, Default)]
pub(super) struct Locals {
    /// By directory; that of the app itself is `.`.
    pub(super) packages: BTreeMap<String, Local>,
    /// Directories and files that become part of what gets installed.
    pub(super) copied: BTreeSet<String>,
    /// Whether all of them are known.
    pub(super) is_complete: bool,
    /// Bytes that may still be read.
    left: usize,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Local {
    pub(super) package: Package,
    /// Whether an installation runs its scripts. What is merely linked is left alone.
    runs: bool,
}

impl Locals {
    /// Finds them.
    pub(super) fn find(
        tree: &Path,
        root: &Package,
        manager: &Manager,
        facts: &Facts,
    ) -> Result<Self, NodeError> {
        let mut locals = Self { is_complete: true, left: BYTES, ..Self::default() };
        locals.packages.insert(".".into(), Local { package: root.clone(), runs: true });
        if !facts.workspaces.is_empty() {
            let (patterns, is_complete) = patterns(&facts.workspaces);
            locals.is_complete = is_complete;
            let mut left = DIRECTORIES;
            locals.is_complete &= locals.search(tree, "", &patterns, &mut left)?;
        }
        let mut waiting: Vec<String> = locals.packages.keys().cloned().collect();
        while let Some(directory) = waiting.pop() {
            locals.follow(tree, &directory, manager, &mut waiting)?;
        }
        Ok(locals)
    }

    /// Looks for the workspace's packages below `directory`; `false` if there were too many.
    fn search(
        &mut self,
        tree: &Path,
        directory: &str,
        patterns: &Patterns,
        left: &mut usize,
    ) -> Result<bool, NodeError> {
        let unreadable = |error: io::Error| NodeError::Unreadable {
            file: if directory.is_empty() { ".".into() } else { directory.into() },
            why: error.to_string(),
        };
        if directory.matches('/').count() >= DEPTH || *left == 0 {
            return Ok(false);
        }
        *left -= 1;
        let mut is_complete = true;
        for entry in fs::read_dir(tree.join(directory)).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            // No link is followed.
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().into_string().ok();
            let Some(name) = name.filter(|name| is_directory && may_have_packages(name)) else { continue };
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            if patterns.has(&path) {
                self.add(tree, &path, true)?;
            }
            is_complete &= self.search(tree, &path, patterns, left)?;
        }
        Ok(is_complete)
    }

    /// Adds the package in a directory, if there is one and it can be held; `true` if it was added.
    fn add(&mut self, tree: &Path, directory: &str, runs: bool) -> Result<bool, NodeError> {
        match Package::read_within(tree, &format!("{directory}/package.json"), &mut self.left)? {
            Within::Found(package) => {
                self.packages.insert(directory.to_owned(), Local { package, runs });
                return Ok(true);
            }
            Within::Missing => {}
            Within::TooMuch => self.is_complete = false,
        }
        Ok(false)
    }

    /// Adds what a package depends on by its path, and tells of it: its dependencies are `waiting`.
    fn follow(
        &mut self,
        tree: &Path,
        from: &str,
        manager: &Manager,
        waiting: &mut Vec<String>,
    ) -> Result<(), NodeError> {
        let of = self.packages.get(from);
        for dependency in of.map(|local| local.package.local_dependencies()).unwrap_or_default() {
            let Some(path) = inside(from, &dependency.path) else { continue };
            let manifest = format!("{path}/package.json");
            let runs = dependency.protocol == "file" && manager.links_directories;
            if dependency.protocol == "file" && !(runs && has_file(tree, &manifest)) {
                self.copied.insert(path);
            } else if !self.packages.contains_key(&path) && self.add(tree, &path, runs)? {
                waiting.push(path);
            }
        }
        Ok(())
    }

    /// Directory and script, for each script of the app's own that belongs to an installation.
    pub(super) fn scripts<'a>(
        &'a self,
        manager: &Manager,
        names: &'a [&'static str],
    ) -> Vec<(&'a str, &'static str)> {
        let mut scripts = Vec::new();
        // The app's own come last: they may use what the others made.
        let (root, others): (Vec<_>, Vec<_>) = self.running().partition(|(directory, _)| *directory == ".");
        for (directory, package) in others.into_iter().chain(root) {
            let runs_by_itself = |name: &str| {
                // With `NAME`, for `preNAME` and `postNAME`.
                let main = name.strip_prefix("pre").or_else(|| name.strip_prefix("post"));
                manager.runs_hooks
                    && main.is_some_and(|main| names.contains(&main) && package.has_script(main))
            };
            let found = names.iter().filter(|name| package.has_script(name) && !runs_by_itself(name));
            scripts.extend(found.map(|name| (directory, *name)));
        }
        scripts
    }

    /// The directories of packages that have such scripts.
    pub(super) fn with_scripts(&self, manager: &Manager) -> Vec<&str> {
        let names = || manager.before.iter().chain(manager.after);
        let having = self.running().filter(|(_, package)| names().any(|name| package.has_script(name)));
        having.map(|(directory, _)| directory).collect()
    }

    fn running(&self) -> impl Iterator<Item = (&str, &Package)> {
        let running = self.packages.iter().filter(|(_, local)| local.runs);
        running.map(|(directory, local)| (directory.as_str(), &local.package))
    }

    /// Whether some dependencies are for development only.
    pub(super) fn have_dev_dependencies(&self) -> bool {
        self.packages.values().any(|local| local.package.has_dev_dependencies())
    }
}

fn may_have_packages(name: &str) -> bool {
    !["node_modules", ".git"].contains(&name) && !name.chars().any(char::is_control)
}

/// A path below the app, as it is seen from a directory of it; `None` if it leaves the app.
fn inside(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in Path::new(from).components().chain(Path::new(path).components()) {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

struct Patterns {
    wanted: GlobSet,
    unwanted: GlobSet,
}

impl Patterns {
    fn has(&self, path: &str) -> bool {
        let manifest = format!("{path}/package.json");
        self.wanted.is_match(&manifest) && !self.unwanted.is_match(&manifest)
    }
}

/// The patterns of a workspace, and whether all are understood.
fn patterns(texts: &[String]) -> (Patterns, bool) {
    let mut is_complete = true;
    let (mut wanted, mut unwanted) = (GlobSetBuilder::new(), GlobSetBuilder::new());
    for text in texts {
        let (set, pattern) = match text.strip_prefix('!') {
            Some(rest) => (&mut unwanted, rest),
            None => (&mut wanted, text.as_str()),
        };
        match glob(pattern) {
            Some(glob) => drop(set.add(glob)),
            None => is_complete = false,
        }
    }
    let mut build = |set: GlobSetBuilder| {
        set.build().unwrap_or_else(|_| {
            is_complete = false;
            GlobSet::empty()
        })
    };
    let patterns = Patterns { wanted: build(wanted), unwanted: build(unwanted) };
    (patterns, is_complete)
}

/// `None` for what other tools understand and this does not.
fn glob(pattern: &str) -> Option<Glob> {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    if pattern.contains('(') || pattern.len() > 500 {
        return None;
    }
    GlobBuilder::new(&format!("{pattern}/package.json")).literal_separator(true).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::nodejs::managers::{npm, pnpm, yarn_berry};

    fn locals(manager: &Manager, root: &str, workspaces: &[&str], files: &[(&str, &str)]) -> Locals {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files.iter().chain([&("package.json", root)]) {
            let path = tree.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = Package::read(tree.path(), "package.json").unwrap().unwrap();
        let workspaces = workspaces.iter().map(|text| (*text).to_owned()).collect();
        let facts = Facts { workspaces, ..Facts::of(&Package::default()) };
        Locals::find(tree.path(), &root, manager, &facts).unwrap()
    }

    #[test]
    fn patterns_find_the_packages_of_a_workspace() {
        let files = [
            ("apps/web/package.json", "{}"),
            ("apps/web/node_modules/x/package.json", "{}"),
            ("apps/old/package.json", "{}"),
            ("libs/a/b/package.json", "{}"),
            ("libs/package.json", "{}"),
            ("docs/readme.md", ""),
            ("tool/package.json", "{}"),
        ];
        for (workspaces, expected) in [
            (&[][..], vec!["."]),
            (&["apps/*"], vec![".", "apps/old", "apps/web"]),
            (&["apps/*", "!apps/old"], vec![".", "apps/web"]),
            (&["./tool/", "libs/**"], vec![".", "libs", "libs/a/b", "tool"]),
            (&["{tool,apps/web}"], vec![".", "apps/web", "tool"]),
            (&["*"], vec![".", "libs", "tool"]),
        ] {
            let found = locals(&npm::MANAGER, "{}", workspaces, &files);
            assert_eq!(found.packages.keys().collect::<Vec<_>>(), expected, "{workspaces:?}");
            assert!(found.is_complete);
        }
        assert!(!locals(&npm::MANAGER, "{}", &["+(a|b)"], &files).is_complete);
        assert!(!locals(&npm::MANAGER, "{}", &["a{"], &files).is_complete);
    }

    #[test]
    fn directories_that_are_depended_on_are_linked_or_copied() {
        let root = r#"{"dependencies":{"a":"file:./lib/a","c":"file:c.tgz","x":"file:../../x"}}"#;
        let files = [
            ("lib/a/package.json", r#"{"dependencies":{"b":"link:../b"}}"#),
            ("lib/b/package.json", "{}"),
            ("c.tgz", ""),
        ];
        let found = locals(&npm::MANAGER, root, &[], &files);
        assert_eq!(found.packages.keys().collect::<Vec<_>>(), [".", "lib/a", "lib/b"]);
        assert_eq!(found.copied.iter().collect::<Vec<_>>(), ["c.tgz"]);
        let found = locals(&pnpm::MANAGER, root, &[], &files);
        assert_eq!(found.packages.keys().collect::<Vec<_>>(), ["."]);
        assert_eq!(found.copied.iter().collect::<Vec<_>>(), ["c.tgz", "lib/a"]);
    }

    #[test]
    fn chains_are_followed_as_long_as_they_are_and_not_beyond_what_can_be_held() {
        let link = |next: &str| format!(r#"{{"dependencies":{{"next":"link:../{next}"}}}}"#);
        let names: Vec<String> = (0..5000).map(|n| format!("p{n}/package.json")).collect();
        let texts: Vec<String> = (1..=5000).map(|n| link(&format!("p{n}"))).collect();
        let files: Vec<_> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
        let root = r#"{"dependencies":{"next":"link:./p0"}}"#;
        let found = locals(&npm::MANAGER, root, &[], &files);
        assert_eq!((found.packages.len(), found.is_complete), (5001, true));

        let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(200 << 10));
        let files: Vec<_> = names.iter().take(60).map(|name| (name.as_str(), large.as_str())).collect();
        let found = locals(&npm::MANAGER, "{}", &["p*"], &files);
        assert!(!found.is_complete && found.packages.len() > 10 && found.packages.len() < 60);
    }

    #[test]
    fn scripts_of_the_app_come_last_and_hooks_run_by_themselves() {
        let root =
            r#"{"scripts":{"build":"a","preinstall":"a","install":"b","postinstall":"c","prepare":"d"}}"#;
        let files = [("lib/package.json", r#"{"scripts":{"postinstall":"a","prepare":"b"}}"#)];
        let found = locals(&npm::MANAGER, root, &["lib"], &files);
        let all = |manager| -> Vec<String> {
            let scripts = found.scripts(manager, manager.after);
            scripts.iter().map(|(directory, name)| format!("{directory} {name}")).collect()
        };
        assert_eq!(all(&npm::MANAGER), ["lib postinstall", "lib prepare", ". install", ". prepare"]);
        let berry = ["lib postinstall", ". preinstall", ". install", ". postinstall"];
        assert_eq!(all(&yarn_berry::MANAGER), berry);
    }
}
