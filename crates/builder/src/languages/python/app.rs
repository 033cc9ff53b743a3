//! What an app says about itself: the files of its package manager, and those that name a version.

use super::asked::{self, Asked};
use super::constraint::Constraint;
use super::dependencies::{self, Dependencies};
use super::manager::Manager;
use super::words::PythonError;
use crate::source::read_file;
use std::path::Path;

/// The files and directories by which Heroku's buildpack recognises an app (heroku-buildpack-python,
/// `bin/detect`). More than those that are needed: whoever lacks or misspells one is told so.
const RECOGNISED: [&str; 26] = [
    ".python-version",
    "__init__.py",
    "app.py",
    "main.py",
    "manage.py",
    "pdm.lock",
    "Pipfile",
    "Pipfile.lock",
    "poetry.lock",
    "pyproject.toml",
    "requirements.txt",
    "runtime.txt",
    "server.py",
    "setup.cfg",
    "setup.py",
    "uv.lock",
    "requeriments.txt",
    "requirement.txt",
    "requirements",
    "requirements.text",
    "Requirements.txt",
    "requirements.txt.txt",
    "requirments.txt",
    "__pycache__",
    ".venv",
    "venv",
];

/// Where a virtual environment would be that was made on another machine.
const ENVIRONMENTS: [&str; 2] = [".venv", "venv"];

/// Whether an app is one in Python.
pub(super) fn recognise(tree: &Path) -> bool {
    RECOGNISED.iter().any(|name| tree.join(name).symlink_metadata().is_ok())
}

/// The app, as far as a build is concerned.
#[derive(Debug)]
pub(super) struct App {
    pub(super) manager: Manager,
    pub(super) dependencies: Dependencies,
    /// The version it asks for, and the file that says so.
    pub(super) asked: Option<Asked>,
    /// The versions that it allows.
    pub(super) constraint: Option<Constraint>,
}

impl App {
    /// Reads the app in `tree`, which is to be `tested` or not. Its pre-compile hook must have run: it may write any of the files.
    pub(super) fn determine(tree: &Path, tested: bool) -> Result<Self, PythonError> {
        if tree.join(".heroku/python").symlink_metadata().is_ok() {
            return Err(PythonError::OurDirectory);
        }
        let manager = Manager::determine(tree)?;
        let own = |name: &&&str| tree.join(name).join("pyvenv.cfg").symlink_metadata().is_ok();
        if let Some(name) = ENVIRONMENTS.iter().find(own) {
            return Err(PythonError::OwnEnvironment(name));
        }
        let read =
            |name: &'static str| read_file(tree, name).map_err(|error| PythonError::unreadable(name, &error));
        let asked = asked::asked(tree, manager, &read)?;
        let project = dependencies::project(tree)?;
        let constraint = project.as_ref().and_then(Constraint::read);
        let dependencies = Dependencies::determine(tree, manager, project.as_ref(), tested)?;
        Ok(Self { manager, dependencies, asked, constraint })
    }
}
