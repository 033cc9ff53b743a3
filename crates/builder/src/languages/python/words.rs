//! What users read about Python apps that cannot be built.

use super::app::Asked;
use crate::errors::{Explain, Words};

/// Why a Python app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PythonError {
    #[error("{file} cannot be read: {why}")]
    Unreadable { file: &'static str, why: String },
    #[error("there is no requirements.txt")]
    NoRequirements,
    #[error(".python-version does not name one version")]
    BadVersionFile,
    #[error("{:?} in {} is not a version", .0.text, .0.file)]
    BadVersion(Asked),
    #[error("there is no Python {asked:?} on the stack {stack}")]
    NoVersion { asked: Option<Asked>, stack: String, offered: Vec<String> },
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32 },
}

impl Explain for PythonError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable { file, why } => Words::new(
                format!("{file} of this app could not be read."),
                why,
                "Make it a regular file of text.",
            ),
            Self::NoRequirements => Words::new(
                "Couldn't find any supported Python package manager files.",
                "A Python app lists the packages it needs in requirements.txt in its root.",
                "Make one, for example with `pip freeze > requirements.txt`, and commit it. An app that needs\nno packages has an empty one.",
            ),
            Self::BadVersionFile => Words::new(
                "The .python-version of this app does not name one version.",
                "It has to have one line with a version, besides empty lines and comments.",
                "Write for example 3.13.",
            ),
            Self::BadVersion(Asked { text, file }) => Words::new(
                format!("The Python version in {file} is not a version."),
                format!("{text:?} is not of the form 3.X or 3.X.Y."),
                "Write for example 3.13.",
            ),
            Self::NoVersion { asked, stack, offered } => Words::new(
                match asked {
                    Some(Asked { text, file }) => {
                        format!("Python {text}, which {file} asks for, cannot be had.")
                    }
                    None => "There is no Python.".to_owned(),
                },
                format!("The stack {stack} has Python {}.", offered.join(", ")),
                "Ask for one of these in .python-version.",
            ),
            Self::Step { step, status } => step_words(step, *status),
        }
    }
}

fn step_words(step: &str, status: i32) -> Words {
    let above = format!("It ended with status {status}. The lines above say more.");
    match step {
        "pre_compile" | "post_compile" => Words::new(
            format!("The script bin/{step} of this app failed."),
            above,
            "Fix what it names and push again.",
        ),
        "install" => Words::new(
            "The dependencies could not be installed.",
            above,
            "If a package could not be fetched, check its name and version in requirements.txt.",
        ),
        "collectstatic" => Words::new(
            "Django's static files could not be collected.",
            above,
            "Run `python manage.py collectstatic --noinput` in a fresh clone of the repository. To leave it\nout of builds: `heroku config:set DISABLE_COLLECTSTATIC=1`.",
        ),
        _ => Words::new(
            "The app's files could not be copied in or out of the build.",
            above,
            "The build may have filled its disk. Leave out what the app does not need to run.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::tests::told;
    use crate::languages::python::failed;

    #[tokio::test]
    async fn every_failure_tells_what_to_do() {
        let asked = || Asked { text: "3.9".into(), file: ".python-version" };
        let steps = ["pre_compile", "install", "collectstatic", "post_compile", "pack"];
        let steps = steps.map(|step| PythonError::Step { step: step.into(), status: 1 });
        let others = [
            PythonError::Unreadable { file: "requirements.txt", why: "it is not a regular file".into() },
            PythonError::NoRequirements,
            PythonError::BadVersionFile,
            PythonError::BadVersion(Asked { text: "three".into(), file: "runtime.txt" }),
            PythonError::NoVersion {
                asked: Some(asked()),
                stack: "kigo-13".into(),
                offered: vec!["3.13".into()],
            },
        ];
        insta::assert_snapshot!(told(others.into_iter().chain(steps).map(failed)).await);
    }
}
