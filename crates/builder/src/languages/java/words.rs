//! What users read about Java apps that cannot be built.

use crate::errors::{Explain, Words};
use crate::languages::words::{above, copying, newest_of_central, not_downloaded};
use crate::output::Output;

/// Why a Java app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JavaError {
    #[error("there is no Maven {version}")]
    NoMaven { version: String, offered: String },
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32 },
}

impl Explain for JavaError {
    fn words(&self) -> Words {
        match self {
            Self::NoMaven { version, offered } => Words::new(
                format!("The requested Maven version isn't available: {version}"),
                newest_of_central(offered),
                "Ask for one of these as maven.version in system.properties. Better, leave that line out and\nadd Maven's wrapper to the app: `mvn wrapper:wrapper`.",
            ),
            Self::Step { step, status } => step_words(step, *status),
        }
    }
}

fn step_words(step: &str, status: i32) -> Words {
    let above = above(status);
    match step {
        "maven" => not_downloaded("Maven"),
        "settings-file" => Words::new(
            "The Maven settings file of this app could not be used.",
            above,
            "Check MAVEN_SETTINGS_PATH, a file of the app, or MAVEN_SETTINGS_URL, a public address, with\n`heroku config`.",
        ),
        "build" => Words::new(
            "Maven build failed.",
            above,
            "Run the same command in a fresh clone of the repository, with the same version of Java. If a\ndependency could not be fetched, check its name, its version and its repository.",
        ),
        _ => copying(status),
    }
}

/// What is likely to cause trouble.
#[derive(Debug)]
pub(super) enum Warning {
    IncompleteWrapper,
}

/// Tells the user.
pub(super) async fn warn(warning: &Warning, output: &Output) {
    let text = match warning {
        Warning::IncompleteWrapper => {
            "Warning: Maven Wrapper script found without properties file.\n\n\
             There is an mvnw, but no .mvn/wrapper/maven-wrapper.properties, which belongs to it. The\n\
             wrapper is not used. Run `mvn wrapper:wrapper` and commit the files that it makes, or\n\
             remove mvnw."
        }
    };
    crate::languages::jvm::caution(text, output).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::tests::{text, told};
    use crate::languages::java::failed;

    #[tokio::test]
    async fn every_failure_and_warning_tells_what_to_do() {
        let steps = ["maven", "settings-file", "build", "pack"];
        let steps = steps.map(|step| JavaError::Step { step: step.into(), status: 1 });
        let missing =
            |offered: &str| JavaError::NoMaven { version: "3.0.99".into(), offered: offered.into() };
        let others = [missing("3.9.16 3.9.15"), missing("")];
        let failures = told(others.into_iter().chain(steps).map(failed)).await;
        let (sender, lines) = tokio::sync::mpsc::channel(64);
        warn(&Warning::IncompleteWrapper, &Output::new(sender)).await;
        insta::assert_snapshot!(format!("{failures}\n{}", text(lines).await));
    }
}
