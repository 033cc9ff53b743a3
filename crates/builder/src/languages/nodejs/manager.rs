//! Package managers: what each of them is, and which one an app uses.
//!
//! Each is a file in `managers/` of the same shape: what it is ([`Manager`]), what it reads about an
//! app besides `package.json` ([`Facts`]), which version made a lockfile; and a program of the same
//! name that the container runs. Nothing outside of these files asks which one it is.

use super::managers::{npm, pnpm, yarn_berry, yarn_classic};
use super::package::Package;
use super::words::NodeError;
use crate::source::{has_file, read_file};
use std::fmt;
use std::path::Path;

/// A package manager.
pub(super) struct Manager {
    /// Its command, and its name in `packageManager` and `engines`.
    pub(super) command: &'static str,
    /// For people.
    pub(super) label: &'static str,
    /// The npm package that it comes in.
    pub(super) package: &'static str,
    /// The package with the program for a machine, where that is not part of [`Self::package`].
    pub(super) native: fn(major: u64) -> Option<&'static str>,
    /// The file in [`Self::package`] that Corepack makes its checksum of, if not the whole archive.
    pub(super) checked_file: Option<&'static str>,
    /// The first is for people that have none.
    pub(super) lockfiles: &'static [&'static str],
    /// How its users make and update a lockfile.
    pub(super) lock_command: &'static str,
    /// Files and directories that decide what gets installed, besides every `package.json`.
    pub(super) inputs: &'static [&'static str],
    /// The app's own scripts that it runs before and after an installation, in its order.
    pub(super) before: &'static [&'static str],
    pub(super) after: &'static [&'static str],
    /// Whether it runs `preNAME` and `postNAME` together with any script `NAME`.
    pub(super) runs_hooks: bool,
    /// Whether a `file:` dependency on a directory becomes a link to it rather than a copy.
    pub(super) links_directories: bool,
    /// The config var by which users leave packages for development out, or keep them.
    pub(super) production: Option<&'static str>,
    /// The config var by which users keep packages for development, with the value `true`.
    pub(super) keep: Option<&'static str>,
    /// A config var that it cannot have, and the one to use.
    pub(super) refused: Option<(&'static str, &'static str)>,
    /// What the container runs, with the functions that `build.sh` calls.
    pub(super) program: &'static str,
    /// What it says about an app.
    pub(super) facts: fn(&Path, &Package) -> Result<Facts, NodeError>,
    /// The versions, as a range, that make such a lockfile: for apps that name none. `None` if it
    /// comes with Node.js.
    pub(super) version_of_lockfile: fn(&[u8]) -> Option<&'static str>,
}

impl fmt::Debug for Manager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.label)
    }
}

impl PartialEq for Manager {
    fn eq(&self, other: &Self) -> bool {
        self.label == other.label
    }
}

impl Eq for Manager {}

/// What a package manager's own files say about an app.
#[derive(Debug)]
pub(super) struct Facts {
    /// Patterns of directories with packages of the app's own.
    pub(super) workspaces: Vec<String>,
    /// Whether packages become files in `node_modules`.
    pub(super) has_node_modules: bool,
    /// A release of it that is checked in and will be used instead of any other.
    pub(super) vendored: Option<String>,
    /// Why packages for development cannot be removed, if so.
    pub(super) unprunable: Option<&'static str>,
    /// Files of other package managers that it does not read.
    pub(super) ignored: Vec<&'static str>,
}

impl Facts {
    /// Those of a package manager that reads `package.json` alone.
    pub(super) fn of(root: &Package) -> Self {
        Self {
            workspaces: root.workspaces(),
            has_node_modules: true,
            vendored: None,
            unprunable: None,
            ignored: Vec::new(),
        }
    }
}

/// What an app uses.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) manager: &'static Manager,
    pub(super) lockfile: Option<&'static str>,
    /// Its text, or nothing.
    pub(super) lock: Vec<u8>,
}

/// Lockfiles, and whose they are. Of npm's two, npm takes the first.
const LOCKFILES: [(&str, &str); 6] = [
    ("npm-shrinkwrap.json", "npm"),
    ("package-lock.json", "npm"),
    ("yarn.lock", "yarn"),
    ("pnpm-lock.yaml", "pnpm"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
];

/// Chooses by lockfile, else by `packageManager`, else by `engines`.
pub(super) fn choose(tree: &Path, root: &Package) -> Result<Choice, NodeError> {
    let found: Vec<_> = LOCKFILES.into_iter().filter(|(name, _)| has_file(tree, name)).collect();
    let pinned = root.package_manager()?;
    let declared = declared(root)?;
    let named = pinned.as_ref().map(|pinned| pinned.name.as_str());
    let family = match found.first() {
        Some((_, first)) if found.iter().any(|(_, family)| family != first) => {
            return Err(NodeError::SeveralLockfiles(found));
        }
        Some((lockfile, family)) => {
            if let Some(named) = named.filter(|named| named != family) {
                return Err(NodeError::OtherLockfile { lockfile, named: named.to_owned() });
            }
            family
        }
        None => named.or(declared).unwrap_or("npm"),
    };
    let lockfile = found.first().map(|(name, _)| *name);
    let lock = match lockfile {
        Some(name) => read(tree, name)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let manager = match family {
        "npm" => &npm::MANAGER,
        "pnpm" => &pnpm::MANAGER,
        "yarn" => {
            let version = pinned.map(|pinned| pinned.version);
            if is_berry(tree, version.as_deref(), &lock, root.engine("yarn")?.as_deref()) {
                &yarn_berry::MANAGER
            } else {
                &yarn_classic::MANAGER
            }
        }
        other => return Err(NodeError::OtherPackageManager(lockfile.unwrap_or(other).to_owned())),
    };
    Ok(Choice { manager, lockfile, lock })
}

/// The one package manager besides npm that `engines` and `packageManager` name. Several are an
/// error, as on Heroku.
fn declared(root: &Package) -> Result<Option<&'static str>, NodeError> {
    let mut fields = Vec::new();
    for name in ["npm", "yarn", "pnpm"] {
        if let Some(range) = root.engine(name)? {
            fields.push((name, format!("engines.{name}: {range}")));
        }
    }
    let engine = fields.iter().map(|(name, _)| *name).find(|name| *name != "npm");
    let pinned = root.package_manager()?;
    if let Some(pinned) = &pinned
        && let Some(name) = ["yarn", "pnpm"].into_iter().find(|name| *name == pinned.name)
    {
        fields.push((name, format!("packageManager: {name}@{}", pinned.version)));
    }
    match fields.first() {
        Some((first, _)) if fields.iter().any(|(name, _)| name != first) => {
            Err(NodeError::SeveralManagers(fields.into_iter().map(|(_, field)| field).collect()))
        }
        _ => Ok(engine),
    }
}

/// Whether it is Yarn 2 or later.
fn is_berry(tree: &Path, pinned: Option<&str>, lock: &[u8], engine: Option<&str>) -> bool {
    let major = |text: &str| -> Option<u64> {
        let digits: String =
            text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    if pinned.and_then(major).is_some_and(|major| major >= 2) {
        return true;
    }
    let has = |mark: &str| String::from_utf8_lossy(lock).lines().take(20).any(|line| line.starts_with(mark));
    if has("__metadata:") || has("# yarn lockfile v1") {
        return has("__metadata:");
    }
    match pinned.or(engine).and_then(major) {
        Some(major) => major >= 2,
        None => has_file(tree, ".yarnrc.yml"),
    }
}

/// Reads a file of the app's.
pub(super) fn read(tree: &Path, name: &str) -> Result<Option<Vec<u8>>, NodeError> {
    read_file(tree, name)
        .map_err(|error| NodeError::Unreadable { file: name.into(), why: crate::errors::chain(&error) })
}

/// Reads a file of the app's that is YAML: a map; an empty one if there is no file or nothing in it.
pub(super) fn read_yaml(
    tree: &Path,
    name: &'static str,
) -> Result<serde_json::Map<String, serde_json::Value>, NodeError> {
    let wrong = |why: String| NodeError::NotYaml { file: name, why };
    let Some(bytes) = read(tree, name)? else { return Ok(serde_json::Map::new()) };
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".into()))?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(serde_json::Map::new());
    }
    let first_line = |error: String| error.lines().next().unwrap_or("").to_owned();
    match serde_saphyr::from_str(&text) {
        Ok(serde_json::Value::Object(map)) => Ok(map),
        Ok(_) => Err(wrong("it is not a map".into())),
        Err(error) => Err(wrong(first_line(error.to_string()))),
    }
}

#[cfg(test)]
mod tests;
