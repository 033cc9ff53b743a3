//! What decides which packages an app gets: its lockfile, and what that refers to in the app itself.
//!
//! Two builds for which all of it is the same install the same, so that the second one does not have
//! to. Directories of the app that are installed as packages count with all their content; the app's
//! root does not, which is installed again in every build where it is a package.

use super::manager::Manager;
use super::requirements;
use super::words::PythonError;
use crate::source::{place_without_links, read_file};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Bytes of packages in the app that are looked at, at most, and how deep.
const BYTES: u64 = 256 << 20;
const DEPTH: usize = 64;

/// What pip installs besides for tests, as on Heroku.
const FOR_TESTS: &str = "requirements-test.txt";

/// The app's packages, as far as a build is concerned.
#[derive(Debug)]
pub(super) struct Dependencies {
    /// Of everything that decides.
    pub(super) hash: String,
    /// Names of config vars that the files refer to.
    pub(super) variables: BTreeSet<String>,
    /// Whether the app itself is one of its packages.
    pub(super) itself: bool,
    /// Whether directories of the app are, which then are known by their path.
    pub(super) local: bool,
    /// Whether the files alone decide.
    pub(super) fixed: bool,
}

impl Dependencies {
    /// Reads what `manager` will read; of an app that is to be `tested`, also what its tests need.
    pub(super) fn determine(
        tree: &Path,
        manager: Manager,
        project: Option<&toml::Table>,
        tested: bool,
    ) -> Result<Self, PythonError> {
        let mut inputs = Inputs::new(tree);
        match manager {
            Manager::Pip => {
                requirements::read(&mut inputs, manager.file())?;
                if tested && inputs.has(FOR_TESTS) {
                    requirements::read(&mut inputs, FOR_TESTS)?;
                }
            }
            Manager::Pipenv => pipenv(&mut inputs, tested)?,
            Manager::Poetry => poetry(&mut inputs, project)?,
            Manager::Uv => uv(&mut inputs)?,
        }
        // It says which corpora come with the package.
        inputs.file("nltk.txt")?;
        Ok(inputs.end())
    }
}

/// Takes in what decides, piece by piece.
pub(super) struct Inputs<'a> {
    tree: &'a Path,
    hash: Sha256,
    variables: BTreeSet<String>,
    itself: bool,
    local: bool,
    fixed: bool,
    /// Packages that were looked at.
    seen: BTreeSet<PathBuf>,
    /// Bytes that may still be.
    left: u64,
}

impl<'a> Inputs<'a> {
    fn new(tree: &'a Path) -> Self {
        let (variables, hash, seen) = (BTreeSet::new(), Sha256::new(), BTreeSet::new());
        Self { tree, hash, variables, itself: false, local: false, fixed: true, seen, left: BYTES }
    }

    fn end(self) -> Dependencies {
        let Self { hash, variables, itself, local, fixed, .. } = self;
        Dependencies { hash: hex::encode(hash.finalize()), variables, itself, local, fixed }
    }

    /// A small file of the app, which counts with its content.
    pub(super) fn file(&mut self, name: &str) -> Result<Option<String>, PythonError> {
        let bytes = read_file(self.tree, name).map_err(|error| PythonError::unreadable(name, &error))?;
        match &bytes {
            Some(bytes) => self.piece(name, bytes),
            None => self.hash.update(format!("no {name}\n")),
        }
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A file or directory of the app that is installed, from its root. One that leads elsewhere by a
    /// link, or is too large to look at, leaves open what is installed.
    pub(super) fn package(&mut self, path: &str) -> Result<(), PythonError> {
        let Some(inside) = inside(path) else {
            self.fixed = false;
            return Ok(());
        };
        if inside.as_os_str().is_empty() {
            self.itself = true;
            return self.metadata();
        }
        let full = place_without_links(self.tree, &inside).filter(|full| !full.is_symlink());
        let Some(full) = full else {
            self.fixed = false;
            return Ok(());
        };
        self.local |= full.is_dir();
        if !self.seen.insert(inside) {
            return Ok(());
        }
        self.tree_of(&full, 0).map_err(|error| PythonError::unreadable(path, &error))
    }

    /// What describes the app as a package: with it, what it needs changes.
    fn metadata(&mut self) -> Result<(), PythonError> {
        for name in ["pyproject.toml", "setup.py", "setup.cfg"] {
            self.file(name)?;
        }
        Ok(())
    }

    /// The config vars whose names a text has as `${NAME}`.
    pub(super) fn variables_in(&mut self, text: &str) {
        for part in text.split("${").skip(1) {
            let name = part.split('}').next().unwrap_or_default();
            if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                self.variables.insert(name.to_owned());
            }
        }
    }

    /// The files do not decide alone.
    pub(super) fn not_fixed(&mut self) {
        self.fixed = false;
    }

    /// Whether the app has a file or directory at a path.
    pub(super) fn has(&self, path: &str) -> bool {
        let place = inside(path).and_then(|inside| place_without_links(self.tree, &inside));
        place.is_some_and(|place| place.symlink_metadata().is_ok())
    }

    fn piece(&mut self, name: &str, content: &[u8]) {
        self.hash.update(format!("{name} {}\n", content.len()));
        self.hash.update(content);
    }

    /// Takes in a file or directory with all that it has. Links count by where they lead.
    fn tree_of(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        if depth > DEPTH || self.left == 0 {
            self.fixed = false;
            return Ok(());
        }
        let name = path.strip_prefix(self.tree).unwrap_or(path).to_string_lossy().into_owned();
        let Ok(metadata) = path.symlink_metadata() else { return Ok(()) };
        if metadata.is_symlink() {
            let target = std::fs::read_link(path)?;
            self.piece(&name, target.as_os_str().as_bytes());
        } else if metadata.is_file() {
            self.hash.update(format!("{name} {}\n", metadata.len()));
            let mut file = std::fs::File::open(path)?.take(self.left);
            let mut piece = vec![0; 64 << 10];
            loop {
                match file.read(&mut piece)? {
                    0 => break,
                    read => {
                        self.hash.update(&piece[..read]);
                        self.left = self.left.saturating_sub(read as u64);
                    }
                }
            }
            if self.left == 0 {
                self.fixed = false;
            }
        } else if metadata.is_dir() {
            self.piece(&name, b"");
            let entries: io::Result<Vec<_>> = std::fs::read_dir(path)?.collect();
            let mut entries: Vec<_> = entries?.into_iter().map(|entry| entry.path()).collect();
            entries.sort();
            entries.iter().try_for_each(|entry| self.tree_of(entry, depth + 1))?;
        }
        Ok(())
    }
}

/// A path of the app without detours; `None` when it leads out of it.
fn inside(path: &str) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir if plain.pop() => {}
            _ => return None,
        }
    }
    Some(plain)
}

fn parsed(name: &str, text: &str) -> Result<toml::Table, PythonError> {
    text.parse().map_err(|error: toml::de::Error| PythonError::BadFile {
        file: name.into(),
        why: error.to_string().trim_end().to_owned(),
    })
}

/// The app's pyproject.toml.
pub(super) fn project(tree: &Path) -> Result<Option<toml::Table>, PythonError> {
    const NAME: &str = "pyproject.toml";
    let bytes = read_file(tree, NAME).map_err(|error| PythonError::unreadable(NAME, &error))?;
    bytes.map(|bytes| parsed(NAME, &String::from_utf8_lossy(&bytes))).transpose()
}

/// The tables of a lockfile's packages.
fn packages(lock: &toml::Table) -> impl Iterator<Item = &toml::Table> {
    let list = lock.get("package").and_then(toml::Value::as_array);
    list.into_iter().flatten().filter_map(toml::Value::as_table)
}

fn uv(inputs: &mut Inputs<'_>) -> Result<(), PythonError> {
    let lock = parsed(Manager::Uv.file(), &inputs.file(Manager::Uv.file())?.unwrap_or_default())?;
    for name in ["pyproject.toml", "uv.toml"] {
        inputs.file(name)?;
    }
    for package in packages(&lock) {
        let source = |kind: &str| package.get("source")?.get(kind)?.as_str();
        if let Some(path) = ["editable", "directory", "path"].into_iter().find_map(source) {
            inputs.package(path)?;
        } else if let Some(path) = source("virtual").filter(|path| *path != ".") {
            // Not installed, but the lockfile has to fit it.
            inputs.file(&format!("{path}/pyproject.toml"))?;
        }
    }
    Ok(())
}

fn poetry(inputs: &mut Inputs<'_>, project: Option<&toml::Table>) -> Result<(), PythonError> {
    let lock = parsed(Manager::Poetry.file(), &inputs.file(Manager::Poetry.file())?.unwrap_or_default())?;
    for name in ["pyproject.toml", "poetry.toml"] {
        inputs.file(name)?;
    }
    for package in packages(&lock) {
        let of = |name: &str| package.get("source")?.get(name)?.as_str();
        if let (Some("directory" | "file"), Some(path)) = (of("type"), of("url")) {
            inputs.package(path)?;
        }
    }
    let mode = project.and_then(|table| table.get("tool")?.get("poetry")?.get("package-mode")?.as_bool());
    inputs.itself |= mode.unwrap_or(true);
    Ok(())
}

fn pipenv(inputs: &mut Inputs<'_>, tested: bool) -> Result<(), PythonError> {
    let name = Manager::Pipenv.file();
    let text = inputs.file(name)?.unwrap_or_default();
    let lock: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| PythonError::BadFile { file: name.into(), why: error.to_string() })?;
    inputs.variables_in(&text);
    let declared = inputs.file("Pipfile")?.unwrap_or_default();
    inputs.variables_in(&declared);
    let groups = if tested { &["default", "develop"][..] } else { &["default"] };
    let groups = groups.iter().filter_map(|group| lock[group].as_object());
    for package in groups.flat_map(|packages| packages.values()) {
        if let Some(path) = ["path", "file"].into_iter().find_map(|kind| package[kind].as_str())
            && !path.contains("://")
        {
            inputs.package(path)?;
        }
    }
    // It does not tell what it installed from what was there.
    inputs.fixed &= !inputs.itself;
    Ok(())
}

#[cfg(test)]
mod tests;
