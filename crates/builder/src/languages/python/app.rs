//! What an app says about itself: its requirements and its version files.

use super::words::PythonError;
use crate::source::{has_file, read_file};
use std::path::Path;

/// The files by which Heroku's buildpack recognises an app (heroku-buildpack-python, `bin/detect`).
const RECOGNISED: [&str; 14] = [
    ".python-version",
    "Pipfile",
    "Pipfile.lock",
    "__init__.py",
    "app.py",
    "main.py",
    "manage.py",
    "poetry.lock",
    "pyproject.toml",
    "requirements.txt",
    "runtime.txt",
    "server.py",
    "setup.cfg",
    "setup.py",
];

/// Whether an app is one in Python.
pub(super) fn recognise(tree: &Path) -> bool {
    RECOGNISED.iter().any(|name| has_file(tree, name))
}

/// The app, as far as a build is concerned.
#[derive(Debug)]
pub(super) struct App {
    /// The version it asks for, and the file that says so.
    pub(super) asked: Option<Asked>,
    /// Whether requirements.txt alone decides what gets installed.
    pub(super) is_reproducible: bool,
    pub(super) is_django: bool,
    /// Everything that decides what gets installed, as bytes to be hashed.
    pub(super) inputs: Vec<u8>,
}

/// A version as a file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) text: String,
    pub(super) file: &'static str,
}

impl App {
    /// Reads the app in `tree`.
    pub(super) fn determine(tree: &Path) -> Result<Self, PythonError> {
        let read = |name: &'static str| -> Result<Option<String>, PythonError> {
            let bytes = read_file(tree, name)
                .map_err(|error| PythonError::Unreadable { file: name, why: crate::errors::chain(&error) })?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let requirements = read("requirements.txt")?.ok_or(PythonError::NoRequirements)?;
        let lines = || requirements.lines().map(|line| line.split('#').next().unwrap_or("").trim());
        Ok(Self {
            asked: asked(&read)?,
            // Options name further files, and paths are a part of the app.
            is_reproducible: !lines().any(|line| line.starts_with(['-', '.', '/']) || line.contains("file:")),
            is_django: has_file(tree, "manage.py")
                && lines().any(|line| line.to_ascii_lowercase().starts_with("django")),
            inputs: requirements.into_bytes(),
        })
    }
}

/// In Heroku's order.
fn asked(
    read: &dyn Fn(&'static str) -> Result<Option<String>, PythonError>,
) -> Result<Option<Asked>, PythonError> {
    if let Some(text) = read("runtime.txt")? {
        let text = text.trim().trim_start_matches("python-").to_owned();
        return Ok(Some(Asked { text, file: "runtime.txt" }));
    }
    let Some(text) = read(".python-version")? else { return Ok(None) };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match (lines.next(), lines.next()) {
        (Some(one), None) => Ok(Some(Asked { text: one.to_owned(), file: ".python-version" })),
        _ => Err(PythonError::BadVersionFile),
    }
}
