//! What users read about Rust apps that cannot be built.

use super::app::Asked;
use crate::errors::{Explain, Words};
use crate::languages::words::{above, copying, unreadable};

/// Why a Rust app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RustError {
    #[error("{file} cannot be read: {why}")]
    Unreadable { file: String, why: String },
    #[error("{file} is not valid: {why}")]
    NotToml { file: String, why: String },
    #[error("there is no {0}")]
    NoManifest(String),
    #[error("there is no Cargo.lock")]
    NoLockfile,
    #[error("{0:?} is no path inside the app")]
    BuildPath(String),
    #[error("{0} names a toolchain by its path")]
    ToolchainPath(String),
    #[error("{:?} is no toolchain", .0.name)]
    BadToolchain(Asked),
    #[error("rustup could not install {channel}: {why}")]
    Rustup { channel: String, origin: Option<&'static str>, why: String, debian: Vec<String> },
    #[error("Debian has Rust {found} instead of {wanted}")]
    MovedOn { wanted: String, found: String },
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32 },
}

impl Explain for RustError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable { file, why } => unreadable(file, why),
            Self::NotToml { file, why } => Words::new(
                format!("{file} of this app is not valid."),
                format!("{why}."),
                "Correct it and push again.",
            ),
            Self::NoManifest(file) => Words::new(
                format!("This app has no {file}."),
                "A Rust app is a package of Cargo.",
                "Commit its Cargo.toml. If it is in a directory of the repository, name that in the config var\nBUILD_PATH. If only a toolchain is wanted: `heroku config:set RUST_SKIP_BUILD=1`.",
            ),
            Self::NoLockfile => Words::new(
                "This app has no Cargo.lock.",
                "It says which version of each crate is used, so that every build uses the same.",
                "Make it with `cargo generate-lockfile`, see that .gitignore does not name it, and commit it.",
            ),
            Self::BuildPath(path) => Words::new(
                "BUILD_PATH of this app does not name a directory of it.",
                format!("{path:?} leads out of the app."),
                "Name the directory with Cargo.toml, from the root of the repository.",
            ),
            Self::ToolchainPath(file) => Words::new(
                format!("{file} of this app names a toolchain by its path."),
                "There is no such directory here.",
                "Name a `channel` instead, for example channel = \"1.85\".",
            ),
            Self::BadToolchain(Asked { name, origin }) => Words::new(
                "The Rust toolchain that this app asks for is not known.",
                format!("{name:?}, which {origin} says, is neither a channel nor a version."),
                "Write for example stable or 1.85.",
            ),
            Self::Rustup { channel, origin, why, debian } => Words::new(
                match origin {
                    Some(origin) => {
                        format!("Rust {channel}, which {origin} asks for, could not be installed.")
                    }
                    None => format!("Rust {channel}, which this app needs, could not be installed."),
                },
                format!(
                    "It has to be fetched with rustup, which said:\n{why}\nRust {} is a part of Debian and needs no rustup.",
                    debian.join(" or ")
                ),
                "Check that there is such a version, or ask for one of Debian's. If rustup reaches its server\nthrough a mirror only, the operator of this installation sets RUSTUP_DIST_SERVER for the server.",
            ),
            Self::MovedOn { wanted, found } => Words::new(
                format!("Rust {wanted} cannot be had from Debian any more."),
                format!("Debian has Rust {found} in its place."),
                format!("Ask for {found} in rust-toolchain.toml."),
            ),
            Self::Step { step, status } => step_words(step, *status),
        }
    }
}

fn step_words(step: &str, status: i32) -> Words {
    let above = above(status);
    match step {
        "build" => Words::new(
            "The app could not be compiled.",
            above,
            "Run `cargo build --release --locked` in a fresh clone of the repository. If Cargo.lock is out of\nstep with Cargo.toml, run `cargo check` and commit it. If a crate needs another Rust, name it in\nrust-toolchain.toml.",
        ),
        "diesel" => Words::new(
            "The command line interface of Diesel could not be installed.",
            above,
            "Set DIESEL_FLAGS to the database that is used, for example\n`--no-default-features --features postgres`.",
        ),
        _ => copying(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::tests::told;
    use crate::languages::rust::failed;

    #[tokio::test]
    async fn every_failure_tells_what_to_do() {
        let steps = ["build", "diesel", "pack"];
        let steps = steps.map(|step| RustError::Step { step: step.into(), status: 101 });
        let asked = |name: &str| Asked { name: name.into(), origin: "rust-toolchain.toml" };
        let others = [
            RustError::Unreadable { file: "Cargo.toml".into(), why: "it is not a regular file".into() },
            RustError::NotToml { file: "Cargo.toml".into(), why: "line 2: key with no value".into() },
            RustError::NoManifest("server/Cargo.toml".into()),
            RustError::NoLockfile,
            RustError::BuildPath("../x".into()),
            RustError::ToolchainPath("rust-toolchain.toml".into()),
            RustError::BadToolchain(asked("mine")),
            RustError::Rustup {
                channel: "1.90.0".into(),
                origin: Some("rust-toolchain.toml"),
                why: "error: could not download file".into(),
                debian: vec!["1.96".into(), "1.85".into()],
            },
            RustError::Rustup {
                channel: "stable".into(),
                origin: None,
                why: "error: could not download file".into(),
                debian: vec!["1.85".into()],
            },
            RustError::MovedOn { wanted: "1.96".into(), found: "1.97".into() },
        ];
        insta::assert_snapshot!(told(others.into_iter().chain(steps).map(failed)).await);
    }
}
