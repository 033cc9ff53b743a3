//! What users read about apps that cannot be built with Gradle.

use crate::errors::{Explain, Words};
use crate::languages::words::{above, copying};
use crate::output::Output;

/// Why an app cannot be built with Gradle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GradleError {
    #[error("there is no gradlew")]
    NoWrapper,
    #[error("there is no gradle/wrapper/gradle-wrapper.jar")]
    NoWrapperJar,
    #[error("there is no task {0}")]
    NoTask(String),
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32 },
}

impl Explain for GradleError {
    fn words(&self) -> Words {
        match self {
            Self::NoWrapper => Words::new(
                "Gradle Wrapper is missing.",
                "An app brings its own Gradle, so that it is built with the same version everywhere: there has\nto be a gradlew in its root.",
                "Run `gradle wrapper` and commit the files that it makes.",
            ),
            Self::NoWrapperJar => Words::new(
                "gradle/wrapper/gradle-wrapper.jar is missing.",
                "gradlew starts it. Often a line `*.jar` in .gitignore or .slugignore keeps it out.",
                "Add it with `git add --force gradle/wrapper/gradle-wrapper.jar` and commit; without one, run\n`gradle wrapper` first.",
            ),
            Self::NoTask(task) => Words::new(
                format!("Gradle task '{task}' not found."),
                "GRADLE_TASK names what is run. Without it that is `stage` if there is such a task, or what\nSpring Boot, Micronaut, Quarkus or Ratpack need.",
                format!(
                    "`./gradlew tasks --all` lists the tasks of this app. Add a task {task}, for example with\n`tasks.register('{task}') {{ dependsOn 'installDist' }}`, or choose another one with\n`heroku config:set GRADLE_TASK=...`."
                ),
            ),
            Self::Step { step, status } => step_words(step, *status),
        }
    }
}

fn step_words(step: &str, status: i32) -> Words {
    let above = above(status);
    match step {
        "daemon" => Words::new(
            "Failed to start Gradle daemon.",
            above,
            "Run `./gradlew tasks` in a fresh clone of the repository, with the same version of Java. If Gradle\nitself could not be downloaded, check distributionUrl in\ngradle/wrapper/gradle-wrapper.properties; builds reach public addresses only.",
        ),
        "build" => Words::new(
            "Gradle build failed.",
            above,
            "Run the same command in a fresh clone of the repository, with the same version of Java. If a\ndependency could not be fetched, check its name, its version and its repository.",
        ),
        _ => copying(status),
    }
}

/// What is likely to cause trouble.
#[derive(Debug)]
pub(super) enum Warning {
    Unmaintained { major: u32, minor: u32 },
    TooOldForJava { gradle: (u32, u32), java: u32, needed: (u32, u32) },
}

/// Tells the user.
pub(super) async fn warn(warning: &Warning, output: &Output) {
    let text = match warning {
        Warning::Unmaintained { major, minor } => format!(
            "Warning: Unsupported Gradle version detected.\n\n\
             Gradle {major}.{minor} gets no repairs any more, not even for security. Upgrade with\n\
             `./gradlew wrapper --gradle-version latest`."
        ),
        Warning::TooOldForJava { gradle, java, needed } => format!(
            "Warning: Gradle {}.{} does not know Java {java}.\n\n\
             The build will probably fail. Gradle {}.{} or later runs on Java {java}. Upgrade with\n\
             `./gradlew wrapper --gradle-version latest`, or choose an older Java in system.properties,\n\
             for example java.runtime.version=21.",
            gradle.0, gradle.1, needed.0, needed.1
        ),
    };
    crate::languages::jvm::caution(text, output).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::tests::{text, told};
    use crate::languages::gradle::failed;

    #[tokio::test]
    async fn every_failure_and_warning_tells_what_to_do() {
        let steps = ["daemon", "build", "pack"];
        let steps = steps.map(|step| GradleError::Step { step: step.into(), status: 1 });
        let others = [GradleError::NoWrapper, GradleError::NoWrapperJar, GradleError::NoTask("stage".into())];
        let failures = told(others.into_iter().chain(steps).map(failed)).await;
        let (sender, lines) = tokio::sync::mpsc::channel(64);
        let output = Output::new(sender);
        warn(&Warning::Unmaintained { major: 4, minor: 4 }, &output).await;
        warn(&Warning::TooOldForJava { gradle: (8, 14), java: 25, needed: (9, 1) }, &output).await;
        drop(output);
        insta::assert_snapshot!(format!("{failures}\n{}", text(lines).await));
    }
}
