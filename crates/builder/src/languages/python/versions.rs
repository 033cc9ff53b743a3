//! Which Python: what the app asks for, held against what the stack has.

use super::app::{App, Asked};
use super::words::PythonError;
use crate::output::Output;
use crate::stack::{Runtime, Stack};

/// The version that a build uses.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) runtime: Runtime,
    asked: Option<Asked>,
}

impl Version {
    /// Decides.
    pub(super) fn resolve(app: &App, stack: &Stack) -> Result<Self, PythonError> {
        let mut runtimes = stack.runtimes("python");
        let found = match &app.asked {
            None => runtimes.next(),
            Some(asked) => {
                let wanted = series(&asked.text).ok_or_else(|| PythonError::BadVersion(asked.clone()))?;
                runtimes.find(|runtime| runtime.version == wanted)
            }
        };
        let offered = || stack.runtimes("python").map(|runtime| runtime.version.clone()).collect();
        match found {
            Some(runtime) => Ok(Self { runtime: runtime.clone(), asked: app.asked.clone() }),
            None => Err(PythonError::NoVersion {
                asked: app.asked.clone(),
                stack: stack.name.clone(),
                offered: offered(),
            }),
        }
    }

    /// Tells the user.
    pub(super) async fn tell(&self, output: &Output) {
        let version = &self.runtime.version;
        if let Some(Asked { file, .. }) = &self.asked {
            output.heading(format!("Using Python {version} specified in {file}")).await;
            return;
        }
        output.heading("No Python version was specified").await;
        let how = format!(
            "Using the default, Python {version}, which changes with the stack. To choose\none, add a .python-version file: echo {version} > .python-version"
        );
        output.detail(how).await;
    }
}

/// `3.13` of `3.13` or `3.13.5`.
fn series(asked: &str) -> Option<String> {
    let numbers: Vec<u32> = asked.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match numbers.as_slice() {
        [major, minor] | [major, minor, _] => Some(format!("{major}.{minor}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_version_the_first_two_numbers_count() {
        for (asked, expected) in [
            ("3.13", Some("3.13")),
            ("3.13.5", Some("3.13")),
            ("3", None),
            ("3.x", None),
            ("3.13.5.1", None),
            ("", None),
        ] {
            assert_eq!(series(asked).as_deref(), expected, "{asked}");
        }
    }
}
