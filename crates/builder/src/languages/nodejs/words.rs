//! What users read about Node.js apps that cannot be built, or may cause trouble.

use crate::errors::{Explain, Words};
use crate::output::Output;

/// Why a Node.js app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error("{file} cannot be read: {why}")]
    Unreadable { file: &'static str, why: String },
    #[error("{file} is not valid: {why}")]
    NotJson { file: &'static str, why: String },
    #[error("engines.{name} in package.json is not a text")]
    EngineNotText { name: &'static str },
    #[error("there are several lockfiles: {}", .0.join(", "))]
    SeveralLockfiles(Vec<&'static str>),
    #[error("the app uses another package manager: {0}")]
    OtherPackageManager(String),
    #[error("{range:?} is not a version of {name}")]
    BadVersion { name: &'static str, range: String },
    #[error("there is no {name} that fits {range:?}")]
    NoVersion { name: &'static str, range: String },
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32 },
}

/// Something that works now and may not always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Warning {
    NoNodeVersion,
    OpenNodeVersion(String),
    NoLockfile,
    InstalledModules,
}

/// Tells a warning.
pub(super) async fn warn(warning: &Warning, output: &Output) {
    let text = match warning {
        Warning::NoNodeVersion => {
            "Node version not specified in package.json\nSay which one the app needs, for example: \"engines\": { \"node\": \"24.x\" }".to_owned()
        }
        Warning::OpenNodeVersion(range) => format!(
            "Dangerous semver range ({range}) in engines.node\nA new major version of Node.js will be used as soon as there is one. Name one, such as 24.x."
        ),
        Warning::NoLockfile => {
            "No package-lock.json was found\nEvery build may install other versions of the dependencies, and nothing of them is\nkept from one build to the next. Run `npm install` and commit package-lock.json.".to_owned()
        }
        Warning::InstalledModules => {
            "node_modules is checked into source control\nPackages with programs for another system may not work. Add node_modules to .gitignore.".to_owned()
        }
    };
    output.warning(text).await;
    output.line("").await;
}

impl Explain for NodeError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable { file, why } => Words::new(
                format!("{file} of this app could not be read."),
                why,
                "Make it a regular file of text.",
            ),
            Self::NotJson { file, why } => Words::new(
                format!("{file} of this app is not valid JSON."),
                format!("{why}."),
                if *file == "package.json" {
                    "Correct it; `npm pkg get name` finds out whether npm can read it."
                } else {
                    "Make it anew with `npm install` and commit it."
                },
            ),
            Self::EngineNotText { name } => Words::new(
                format!("engines.{name} in package.json is not a text."),
                "",
                format!(
                    "Write it as a text, for example: \"engines\": {{ \"{name}\": \"{}\" }}",
                    example(name)
                ),
            ),
            Self::SeveralLockfiles(files) => Words::new(
                "Build failed because of conflicting lock files.",
                format!(
                    "The app has {}. They can name different versions of a package.",
                    files.join(" and ")
                ),
                "Keep the one of the package manager that you use, and remove the others with `git rm`.",
            ),
            Self::OtherPackageManager(what) => Words::new(
                "This app uses a package manager that is not supported.",
                format!("It has {what}. What is built in is npm."),
                "Make a package-lock.json with `npm install` and remove the other lockfile. Or choose a\nbuildpack that supports it, by its address, with `heroku buildpacks:set`.",
            ),
            Self::BadVersion { name, range } => Words::new(
                format!("engines.{name} in package.json is not a version."),
                format!("{range:?} is neither a version nor a range of versions."),
                format!("Write for example \"{}\".", example(name)),
            ),
            Self::NoVersion { name, range } => Words::new(
                format!("There is no version of {name} that fits {range:?}."),
                "That is what engines in package.json ask for; the npm registry has no such version.",
                format!("Write for example \"{}\".", example(name)),
            ),
            Self::Step { step, status } => step_words(step, *status),
        }
    }
}

fn example(name: &str) -> &'static str {
    if name == "npm" { "11.x" } else { "24.x" }
}

fn step_words(step: &str, status: i32) -> Words {
    let above = format!("It ended with status {status}. The lines above say more.");
    match step {
        "install" => Words::new(
            "The dependencies could not be installed.",
            above,
            "If package.json and package-lock.json are out of step, run `npm install` and commit both.\nIf a package could not be fetched, check its name and version.",
        ),
        "lifecycle" | "prebuild" | "build" | "cleanup" => Words::new(
            match step {
                "lifecycle" => "A script in package.json that belongs to the installation failed.",
                "prebuild" => "The script heroku-prebuild in package.json failed.",
                "build" => "The build script in package.json failed.",
                _ => "The script heroku-cleanup in package.json failed.",
            },
            above,
            "Run the script in a fresh clone of the repository. What the build needs must be in\ndependencies or devDependencies; config vars are there as environment variables.",
        ),
        "prune" => Words::new(
            "Packages for development could not be removed.",
            above,
            "Set the config var NPM_CONFIG_PRODUCTION=false to keep them.",
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
    use crate::languages::nodejs::failed;

    #[tokio::test]
    async fn every_failure_tells_what_to_do() {
        let steps = ["install", "lifecycle", "prebuild", "build", "cleanup", "prune", "pack"];
        let steps = steps.map(|step| NodeError::Step { step: step.into(), status: 1 });
        let others = [
            NodeError::Unreadable { file: "package.json", why: "package.json is not a regular file".into() },
            NodeError::NotJson {
                file: "package.json",
                why: "EOF while parsing an object at line 1 column 1".into(),
            },
            NodeError::NotJson { file: "package-lock.json", why: "it is not an object".into() },
            NodeError::EngineNotText { name: "node" },
            NodeError::SeveralLockfiles(vec!["package-lock.json", "yarn.lock"]),
            NodeError::OtherPackageManager("yarn.lock".into()),
            NodeError::BadVersion { name: "node", range: "twenty".into() },
            NodeError::NoVersion { name: "npm", range: "99".into() },
        ];
        insta::assert_snapshot!(told(others.into_iter().chain(steps).map(failed)).await);
    }
}
