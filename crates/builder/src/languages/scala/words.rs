//! What users read about Scala apps that cannot be built.

use crate::errors::{Explain, Words};
use crate::languages::words::{above, copying, newest_of_central, not_downloaded};

/// Why a Scala app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScalaError {
    #[error("project/build.properties names no sbt.version")]
    NoVersion,
    #[error("sbt {0} is not supported")]
    Unsupported(String),
    #[error("there is no sbt {version}")]
    NoSbt { version: String, offered: String },
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32 },
}

impl Explain for ScalaError {
    fn words(&self) -> Words {
        match self {
            Self::NoVersion => Words::new(
                "sbt version cannot be determined.",
                "An app says which sbt builds it, so that it is built with the same version everywhere: there\nhas to be an sbt.version in project/build.properties.",
                "Add that file with a line like `sbt.version=1.12.13`.",
            ),
            Self::Unsupported(version) => Words::new(
                "Unsupported sbt version detected.",
                format!("project/build.properties asks for sbt {version}. Apps are built with sbt 1 and 2."),
                "Ask for a later one, for example `sbt.version=1.12.13`.",
            ),
            Self::NoSbt { version, offered } => Words::new(
                format!("The requested sbt launcher version isn't available: {version}"),
                newest_of_central(offered),
                "Ask for one of these as sbt.version in project/build.properties.",
            ),
            Self::Step { step, status } => step_words(step, *status),
        }
    }
}

fn step_words(step: &str, status: i32) -> Words {
    let above = above(status);
    match step {
        "sbt" => not_downloaded("sbt"),
        "no-stage" => Words::new(
            "sbt 'stage' task not found.",
            "What is run is `sbt compile stage`. The task `stage` makes what dynos run; a plugin for packaging\nadds it, or the app's own build.sbt.",
            "Add sbt-native-packager in project/plugins.sbt and enable its JavaAppPackaging in build.sbt, or\nchoose other tasks with `heroku config:set SBT_TASKS=...`.",
        ),
        "compile" => Words::new(
            "sbt build failed: the app does not compile.",
            above,
            "Fix what the compiler names and push again. If the code is right, what is left of earlier builds\nmay be in the way: `heroku config:set SBT_CLEAN=true`.",
        ),
        "build" => Words::new(
            "sbt build failed.",
            above,
            "Run the same command in a fresh clone of the repository, with the same version of Java. If a\ndependency could not be fetched, check its name, its version and its repository.",
        ),
        _ => copying(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::tests::told;
    use crate::languages::scala::failed;

    #[tokio::test]
    async fn every_failure_tells_what_to_do() {
        let steps = ["sbt", "no-stage", "compile", "build", "pack"];
        let steps = steps.map(|step| ScalaError::Step { step: step.into(), status: 1 });
        let missing = |offered: &str| ScalaError::NoSbt { version: "1.0.99".into(), offered: offered.into() };
        let others = [
            ScalaError::NoVersion,
            ScalaError::Unsupported("0.13.18".into()),
            missing("1.12.13 1.12.11"),
            missing(""),
        ];
        insta::assert_snapshot!(told(others.into_iter().chain(steps).map(failed)).await);
    }
}
