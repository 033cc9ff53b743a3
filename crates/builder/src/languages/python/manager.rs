//! Which program installs an app's packages: the one whose file the app has.

use super::words::PythonError;
use crate::source::has_file;
use std::path::Path;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    Pipenv,
    Pip,
    Poetry,
    Uv,
}

impl Manager {
    /// In the order in which Heroku's buildpack names them.
    const ALL: [Self; 4] = [Self::Pipenv, Self::Pip, Self::Poetry, Self::Uv];

    /// The app's package manager: exactly one, found by its lockfile.
    pub(super) fn determine(tree: &Path) -> Result<Self, PythonError> {
        if has_file(tree, "Pipfile") && !has_file(tree, "Pipfile.lock") {
            return Err(PythonError::NoPipfileLock);
        }
        let found: Vec<_> = Self::ALL.into_iter().filter(|one| has_file(tree, one.file())).collect();
        match found.as_slice() {
            [one] => Ok(*one),
            [] if has_file(tree, "pyproject.toml") => Err(PythonError::OnlyProject),
            [] if has_file(tree, "setup.py") => Err(PythonError::OnlySetup),
            [] => Err(PythonError::NoManager { there: listing(tree) }),
            _ => Err(PythonError::SeveralManagers(found)),
        }
    }

    /// The file by which it is recognised.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Pipenv => "Pipfile.lock",
            Self::Pip => "requirements.txt",
            Self::Poetry => "poetry.lock",
            Self::Uv => "uv.lock",
        }
    }

    /// What people call it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Pipenv => "Pipenv",
            Self::Pip => "pip",
            Self::Poetry => "Poetry",
            Self::Uv => "uv",
        }
    }

    /// Its command, and the name of its package.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Pipenv => "pipenv",
            Self::Pip => "pip",
            Self::Poetry => "poetry",
            Self::Uv => "uv",
        }
    }

    /// What the names of config vars begin with that are settings of it.
    pub(super) fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Pipenv => &["PIPENV_", "PIP_"],
            Self::Pip => &["PIP_"],
            Self::Poetry => &["POETRY_"],
            Self::Uv => &["UV_"],
        }
    }

    /// Whether it takes away what is there and not wanted any more, so that it can go on from what
    /// an earlier build installed. pip and Pipenv would leave it.
    pub(super) fn takes_away(self) -> bool {
        matches!(self, Self::Poetry | Self::Uv)
    }
}

/// What the root of the app has, directories with a slash; of a long list the beginning.
fn listing(tree: &Path) -> Vec<String> {
    const SHOWN: usize = 30;
    let Ok(entries) = std::fs::read_dir(tree) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| {
            let slash = if entry.file_type().is_ok_and(|kind| kind.is_dir()) { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy().escape_debug())
        })
        .collect();
    names.sort();
    if names.len() > SHOWN {
        names.truncate(SHOWN);
        names.push("...".into());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn determine(files: &[&str]) -> Result<Manager, PythonError> {
        let tree = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(tree.path().join(file), "").unwrap();
        }
        Manager::determine(tree.path())
    }

    #[test]
    fn exactly_one_file_decides() {
        for (files, expected) in [
            (&["requirements.txt"][..], Manager::Pip),
            (&["requirements.txt", "pyproject.toml", "setup.py"], Manager::Pip),
            (&["Pipfile", "Pipfile.lock"], Manager::Pipenv),
            (&["pyproject.toml", "poetry.lock"], Manager::Poetry),
            (&["pyproject.toml", "uv.lock"], Manager::Uv),
        ] {
            assert_eq!(determine(files).unwrap(), expected, "{files:?}");
        }
    }

    #[test]
    fn anything_else_is_told() {
        let several = determine(&["uv.lock", "requirements.txt", "poetry.lock"]).unwrap_err();
        assert!(
            matches!(&several, PythonError::SeveralManagers(found) if *found == [Manager::Pip, Manager::Poetry, Manager::Uv])
        );
        assert!(matches!(
            determine(&["Pipfile", "requirements.txt"]).unwrap_err(),
            PythonError::NoPipfileLock
        ));
        assert!(matches!(determine(&["setup.py"]).unwrap_err(), PythonError::OnlySetup));
        assert!(matches!(determine(&["setup.py", "pyproject.toml"]).unwrap_err(), PythonError::OnlyProject));
        let none = determine(&["requirement.txt", "app.py"]).unwrap_err();
        assert!(
            matches!(&none, PythonError::NoManager { there } if *there == ["app.py", "requirement.txt"]),
            "{none:?}"
        );
    }
}
