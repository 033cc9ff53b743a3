//! What users read about Go apps that cannot be built, or not as they were meant.

use super::versions::{Asked, Origin};
use crate::errors::{Explain, Words};
use crate::languages::words::{above, copying, unreadable};
use crate::output::Output;

/// Why a Go app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GoError {
    #[error("go.mod cannot be read: {0}")]
    Unreadable(String),
    #[error("there is no go.mod")]
    NoModule,
    #[error("go.mod does not name the module")]
    NoModuleName,
    #[error("the app uses {0}, which came before modules")]
    LegacyManager(&'static str),
    #[error("{text:?} is not a version")]
    BadVersion { text: String, origin: Origin },
    #[error("{} does not know modules", .0.text)]
    TooOld(Asked),
    #[error("{} is older than {go}", .asked.text)]
    BelowModule { asked: Asked, go: String },
    #[error("there is no Go {}: {why}", .asked.text)]
    NoVersion {
        asked: Asked,
        why: String,
        /// What the module proxy has.
        series: Vec<String>,
        /// What Debian has.
        debian: Vec<String>,
    },
    #[error("the standard library could not be compiled: status {status}")]
    StandardLibrary { status: i32 },
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32 },
}

/// Tells that Debian's Go is used, and why.
pub(super) async fn tell_fallback(asked: &Asked, debian: &str, why: &str, output: &Output) {
    let wanted = if asked.origin == Origin::Nobody { "Go".into() } else { with_go(&asked.text) };
    let why = if why.is_empty() { String::new() } else { format!("\n{why}") };
    let text = format!(
        "{wanted} could not be fetched: the Go module proxy offers no releases of Go.{why}\n{debian} of Debian is used instead."
    );
    output.warning(text).await;
}

/// Tells that nobody said which version.
pub(super) async fn tell_no_version(output: &Output) {
    output
        .warning("The go.mod file of this app does not say which version of Go it needs.\nThe newest is used, which changes. Say which: `go mod edit -go=1.25`")
        .await;
}

impl Explain for GoError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable(why) => unreadable("go.mod", why),
            Self::NoModule => Words::new(
                "This app has no go.mod.",
                "A Go app is a module, with a go.mod file in its root.",
                "Make one with `go mod init NAME` and `go mod tidy`, and commit it.",
            ),
            Self::NoModuleName => Words::new(
                "go.mod of this app does not name the module.",
                "It has no line such as `module example.com/app`.",
                "Add one with `go mod edit -module=example.com/app` and commit it.",
            ),
            Self::LegacyManager(manager) => Words::new(
                format!("This app uses {manager} for its dependencies, which is not supported."),
                "Go modules (go.mod) are the only way to manage dependencies that is supported.",
                "To migrate, run `go mod init NAME` and `go mod tidy` in the root of the app, and commit\ngo.mod and go.sum.",
            ),
            Self::BadVersion { text, origin } => Words::new(
                "The version of Go that this app asks for is not a version.",
                format!("{text:?}, which {} says,\nis not of the form go1.X or go1.X.Y.", origin.shown()),
                "Write for example go1.25.",
            ),
            Self::TooOld(asked) => Words::new(
                format!("{} does not support Go modules.", with_go(&asked.text)),
                format!("{} asks for it. Modules are supported since go1.11.", capital(asked.origin.shown())),
                "Ask for a newer one, for example go1.25.",
            ),
            Self::BelowModule { asked, go } => Words::new(
                format!("{} is too old for this app.", with_go(&asked.text)),
                format!(
                    "{} asks for it.\nThe line `go` in go.mod says that the app needs {} at least.",
                    capital(asked.origin.shown()),
                    with_go(go)
                ),
                "Ask for a newer one, or leave it to go.mod.",
            ),
            Self::NoVersion { asked, why, series, debian } => no_version(asked, why, series, debian),
            Self::StandardLibrary { status } => Words::new(
                "The standard library of this Go could not be compiled.",
                format!("It ended with status {status}. The lines above say more."),
                "Ask for another version, for example go1.25.",
            ),
            Self::Step { step, status } => step_words(step, *status),
        }
    }
}

fn no_version(asked: &Asked, why: &str, series: &[String], debian: &[String]) -> Words {
    let offered = if series.is_empty() {
        "The Go module proxy offers none at the moment.".to_owned()
    } else {
        format!("The Go module proxy has releases of: {}.", series.join(", "))
    };
    let why = if why.is_empty() { String::new() } else { format!("{why}\n") };
    Words::new(
        format!("{}, which {} asks for, cannot be had.", with_go(&asked.text), asked.origin.shown()),
        format!("{why}{offered}\nDebian has {}.", debian.join(", ")),
        "Ask for one of these. If there is such a release, try again: it could not be fetched this time.",
    )
}

/// `go1.25` of `1.25`.
fn with_go(text: &str) -> String {
    if text.starts_with("go") { text.to_owned() } else { format!("go{text}") }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn step_words(step: &str, status: i32) -> Words {
    let above = above(status);
    match step {
        "bin" => Words::new(
            "There is a file named bin.",
            "Programs are installed into the directory bin.",
            "Rename the file.",
        ),
        "packages" => Words::new(
            "The packages of this module could not be listed.",
            above,
            "Run `go list ./...` in a fresh clone of the repository.",
        ),
        "go-pre-compile" | "go-post-compile" => Words::new(
            format!("The script bin/{step} of this app failed."),
            above,
            "Fix what it names and push again.",
        ),
        "tests" => Words::new(
            "What the tests of this module need could not be fetched.",
            above,
            "If go.mod or go.sum are out of step, run `go mod tidy` and commit what it changes.",
        ),
        "install" => Words::new(
            "The app could not be compiled.",
            above,
            "Run `go install -tags heroku ./...` in a fresh clone of the repository. If go.mod, go.sum or\nvendor are out of step, run `go mod tidy` (and `go mod vendor`) and commit what they change.",
        ),
        _ => copying(status),
    }
}

#[cfg(test)]
mod tests {
    use super::super::app::App;
    use super::*;
    use crate::errors::tests::told;
    use crate::languages::golang::failed;
    use domain::ConfigVars;

    fn asked(version: &str) -> Asked {
        let app = App {
            module: "a".into(),
            heroku_version: None,
            packages: None,
            toolchain: None,
            go: Some(version.into()),
            is_vendored: false,
        };
        Asked::of(&app, &ConfigVars::default()).unwrap()
    }

    #[tokio::test]
    async fn every_failure_tells_what_to_do() {
        let steps = ["bin", "packages", "go-pre-compile", "install", "go-post-compile", "tests", "pack"];
        let steps = steps.map(|step| GoError::Step { step: step.into(), status: 1 });
        let debian = || vec!["1.24".to_owned(), "1.25".to_owned()];
        let others = [
            GoError::Unreadable("go.mod is not a regular file".into()),
            GoError::NoModule,
            GoError::NoModuleName,
            GoError::LegacyManager("dep"),
            GoError::BadVersion { text: "latest".into(), origin: Origin::ConfigVar },
            GoError::TooOld(Asked { origin: Origin::HerokuComment, ..asked("1.25") }),
            GoError::BelowModule {
                asked: Asked { origin: Origin::Toolchain, ..asked("1.24") },
                go: "1.25".into(),
            },
            GoError::NoVersion {
                asked: asked("1.99"),
                why: "go: download go1.99: toolchain not available".into(),
                series: debian(),
                debian: debian(),
            },
            GoError::NoVersion {
                asked: asked("1.20"),
                why: String::new(),
                series: Vec::new(),
                debian: debian(),
            },
            GoError::StandardLibrary { status: 1 },
        ];
        insta::assert_snapshot!(told(others.into_iter().chain(steps).map(failed)).await);
    }

    #[tokio::test]
    async fn a_version_that_was_not_meant_is_told() {
        let (sender, mut lines) = tokio::sync::mpsc::channel(16);
        let output = Output::new(sender);
        let asked = asked("1.25.3");
        tell_fallback(&asked, "go1.25", "go: module lookup disabled by GOPROXY=off", &output).await;
        tell_no_version(&output).await;
        drop(output);
        let mut text = String::new();
        while let Some(line) = lines.recv().await {
            text.extend([line.as_str(), "\n"]);
        }
        insta::assert_snapshot!(text);
    }
}
