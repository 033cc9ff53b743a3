//! What users read about Python apps that cannot be built, or may cause trouble.

mod steps;

use super::app::App;
use super::asked::{Asked, Problem, Series};
use super::constraint::Constraint;
use super::manager::Manager;
use crate::errors::{Explain, Words, chain};
use crate::languages::words::unreadable;
use crate::output::Output;

/// Why a Python app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PythonError {
    #[error("{file} cannot be read: {why}")]
    Unreadable { file: String, why: String },
    #[error("{file} is not valid: {why}")]
    BadFile { file: String, why: String },
    #[error("the app has a .heroku/python of its own")]
    OurDirectory,
    #[error("the app has the virtual environment {0}")]
    OwnEnvironment(&'static str),
    #[error("there is no file of a package manager")]
    NoManager { there: Vec<String> },
    #[error("there is a pyproject.toml and no lockfile")]
    OnlyProject,
    #[error("there is a setup.py and no file of a package manager")]
    OnlySetup,
    #[error("there is a Pipfile and no Pipfile.lock")]
    NoPipfileLock,
    #[error("there are files of several package managers: {0:?}")]
    SeveralManagers(Vec<Manager>),
    #[error("{0:?} is not .python-version")]
    Misspelled(&'static str),
    #[error("{file} does not name one version: {problem:?}")]
    BadVersion { file: &'static str, problem: Problem },
    #[error("there is a runtime.txt beside uv.lock")]
    RuntimeWithUv,
    #[error("there is a uv.lock and no .python-version")]
    NoVersionWithUv { proposed: Option<Series> },
    #[error("{} in {} is against {}", .asked.text, .asked.file, .constraint.text)]
    Conflict { asked: Asked, constraint: Constraint },
    #[error("there is no Python {} on the stack {}", .asked.text, .offered.stack)]
    NotOffered { asked: Asked, offered: Offered },
    #[error("there is no Python that fits {} on the stack {}", .constraint.text, .offered.stack)]
    NothingAllowed { constraint: Constraint, offered: Offered },
    #[error("the stack {stack} has no Python")]
    NoPython { stack: String },
    #[error("Python {version} was not downloaded: status {status}")]
    Download { version: String, offered: Offered, status: i32 },
    #[error("{tool} was not installed: status {status}")]
    Tool { tool: String, status: i32 },
    /// A step of a program in a container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32, manager: Option<Manager>, manage: String },
}

impl PythonError {
    /// A file of the app that could not be read.
    pub(super) fn unreadable(file: &str, error: &dyn std::error::Error) -> Self {
        Self::Unreadable { file: file.into(), why: chain(error) }
    }
}

/// Versions that can be had without a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(super) stack: String,
    pub(super) here: Vec<String>,
}

impl Offered {
    fn text(&self) -> String {
        format!("The stack {} has Python {}.", self.stack, self.here.join(" and "))
    }
}

/// How to get to another version.
const CHOOSE: &str = "Ask for one of these in .python-version.";

const UV: &str = "If you are not sure which package manager to use, try uv: it has a lockfile and is fast.";

impl Explain for PythonError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable { file, why } => unreadable(file, why),
            Self::BadFile { file, why } => Words::new(
                format!("{file} of this app is not valid."),
                why,
                match file.as_str() {
                    "uv.lock" => "Make it anew with `uv lock` and commit it.",
                    "poetry.lock" => "Make it anew with `poetry lock` and commit it.",
                    "Pipfile.lock" => "Make it anew with `pipenv lock` and commit it.",
                    _ => "Correct it and push again.",
                },
            ),
            Self::OurDirectory => Words::new(
                "Existing '.heroku/python/' directory found.",
                "That is where Python and the app's packages are installed.",
                "Remove it from the repository, or from what bin/pre_compile or an earlier buildpack makes.",
            ),
            Self::OwnEnvironment(name) => Words::new(
                format!("Existing '{name}/' directory found."),
                "It is a virtual environment, which works on the machine only that it was made on.",
                format!("Remove it with `git rm --cached -r {name}/` and add it to .gitignore."),
            ),
            Self::NoManager { .. }
            | Self::OnlyProject
            | Self::OnlySetup
            | Self::NoPipfileLock
            | Self::SeveralManagers(_) => manager_words(self),
            Self::Download { version, offered, status } => Words::new(
                format!("Python {version} could not be downloaded."),
                format!(
                    "It is not a part of the stack, so that uv was to fetch it from python-build-standalone. uv\nended with status {status}; the lines above say more.\n{}",
                    offered.text()
                ),
                format!(
                    "{CHOOSE}\nIf only the download did not work, try again, or have the operator set\nUV_PYTHON_INSTALL_MIRROR."
                ),
            ),
            Self::Tool { tool, status } => Words::new(
                format!("Unable to install {tool}."),
                format!("pip ended with status {status}; the lines above say more."),
                "Often the package index could not be reached for a moment. Try again; if it fails again,\ntell the operator of this installation.",
            ),
            Self::Step { step, status, manager, manage } => steps::words(step, *status, *manager, manage),
            _ => version_words(self),
        }
    }
}

fn manager_words(error: &PythonError) -> Words {
    match error {
        PythonError::OnlyProject => Words::new(
            "There is a pyproject.toml, but no lockfile.",
            "What it asks for may be installed in many versions, and by several package managers; a lockfile\ntells which. It has to be one of uv.lock, poetry.lock, Pipfile.lock and requirements.txt.",
            "Run `uv lock` or `poetry lock` and commit the lockfile. For pip, add a requirements.txt; to\ninstall the project itself with pip, it has the line: --editable .",
        ),
        PythonError::OnlySetup => Words::new(
            "There is a setup.py, but no file of a package manager.",
            "It does not tell which package manager to use, and whether to install the project itself.",
            "To go on with pip, add a requirements.txt with the line: --editable .",
        ),
        PythonError::NoPipfileLock => Words::new(
            "No 'Pipfile.lock' found!",
            "There is a Pipfile. Without its lockfile, the versions of packages are not pinned, and every\nbuild may install others.",
            "Run `pipenv lock`, see that Pipfile.lock is not listed in .gitignore or .slugignore, and commit\nit. To use another package manager, delete the Pipfile.",
        ),
        PythonError::SeveralManagers(found) => {
            let lines = found.iter().map(|one| format!("{} ({})", one.file(), one.title()));
            Words::new(
                "Multiple Python package manager files were found.",
                format!(
                    "There has to be exactly one, but there are:\n{}",
                    lines.collect::<Vec<_>>().join("\n")
                ),
                format!("Keep the one of the package manager that you use and delete the others.\n{UV}"),
            )
        }
        PythonError::NoManager { there } => Words::new(
            "Couldn't find any supported Python package manager files.",
            format!(
                "A Python app has a requirements.txt, Pipfile.lock, poetry.lock or uv.lock in its root. The root\nof this app has:\n{}",
                there.join("\n")
            ),
            format!(
                "See that the file is in the root, spelled like that, committed, and not listed in .gitignore or\n.slugignore. An app that needs no packages has an empty requirements.txt.\n{UV}"
            ),
        ),
        other => Words::new(other.to_string(), "", "Correct it and push again."),
    }
}

fn version_words(error: &PythonError) -> Words {
    match error {
        PythonError::Misspelled(name) => Words::new(
            "Your .python-version file is spelled incorrectly.",
            format!("Its name is '{name}'."),
            "Rename it to '.python-version'.",
        ),
        PythonError::BadVersion { file, problem } => problem_words(file, problem),
        PythonError::RuntimeWithUv => Words::new(
            "The runtime.txt file isn't supported when using uv.",
            "uv itself takes the version from .python-version.",
            "Delete runtime.txt and run `uv python pin 3.13`, with the version that the app needs. Commit\nboth.",
        ),
        PythonError::NoVersionWithUv { proposed } => Words::new(
            "No Python version was specified.",
            "When using uv, the app's Python version has to be in a .python-version file.",
            format!(
                "Run `uv python pin {}` and commit .python-version.",
                proposed.map_or("3.13".into(), |series| series.to_string())
            ),
        ),
        PythonError::Conflict { asked, constraint } => Words::new(
            format!("Python {}, which {} asks for, is not allowed.", asked.text, asked.file),
            format!("{} says {:?}.", constraint.place, constraint.text),
            "Change one of them so that they agree.",
        ),
        PythonError::NotOffered { asked, offered } => Words::new(
            format!("Python {}, which {} asks for, cannot be had.", asked.text, asked.file),
            offered.text(),
            CHOOSE,
        ),
        PythonError::NothingAllowed { constraint, offered } => Words::new(
            format!("There is no Python that {} allows.", constraint.place),
            format!("It says {:?}. {}", constraint.text, offered.text()),
            "Allow one of these.",
        ),
        PythonError::NoPython { stack } => Words::new(
            format!("The stack {stack} has no Python."),
            "",
            "Choose another stack with `heroku stack:set`.",
        ),
        other => Words::new(other.to_string(), "", "Correct it and push again."),
    }
}

fn problem_words(file: &str, problem: &Problem) -> Words {
    let example = if file == "runtime.txt" { "python-3.13" } else { "3.13" };
    let next = match file {
        "runtime.txt" => {
            "Better still, delete it and write 3.13, without `python-`, into a file .python-version."
        }
        "Pipfile.lock" => "Correct python_version in the Pipfile and run `pipenv lock`.",
        _ => "Write the version alone, without quotes or `python-`. Comments have lines of their own.",
    };
    let (happened, why) = match problem {
        Problem::Encoding(found) => (
            format!("Unable to read {file}."),
            format!("It is not in UTF-8 without a byte order mark, but in {found}."),
        ),
        Problem::Empty => (format!("No Python version found in {file}."), String::new()),
        Problem::Several(found) => (
            format!("Multiple Python versions found in {file}."),
            format!("There may be one only, but it has: {}.", found.join(", ")),
        ),
        Problem::NoVersion(found) => (
            format!("Invalid Python version in {file}."),
            format!(
                "It has: {found}\nA version is a major version, for example {example}, or an exact one, for example {example}.5."
            ),
        ),
    };
    Words::new(happened, why, next)
}

/// Something that works now and may not always.
pub(super) struct Notice(Vec<String>);

impl Notice {
    /// Tells the user.
    pub(super) async fn tell(&self, output: &Output) {
        output.line("").await;
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                output.line(" !").await;
            }
            output.warning(part).await;
        }
        output.line("").await;
    }
}

/// What to tell about where an app's version comes from.
pub(super) fn notices(app: &App, series: Series) -> Vec<Notice> {
    let pin = format!(
        "Write it into a file .python-version in the root of the app:\n\n    echo {series} > .python-version"
    );
    match &app.asked {
        Some(Asked { file: "runtime.txt", .. }) => vec![Notice(vec![
            "Warning: The runtime.txt file is deprecated.".into(),
            "Other tools do not know it; they read .python-version.".into(),
            format!("Delete runtime.txt. {pin}"),
        ])],
        Some(_) => Vec::new(),
        None => vec![Notice(vec![
            "Warning: No Python version was specified.".into(),
            "The one that is used can change over time, and may not be the one of your own machine.".into(),
            pin,
        ])],
    }
}

#[cfg(test)]
mod tests;
