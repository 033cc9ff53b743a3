//! `cargo xtask test`: everything a change has to pass, with all that it needs installed first.

use crate::packages::{SERVER, TESTS, install, require_root};
use crate::shell::{read, run, say, step};
use crate::tidy;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The version line of the official CLI that the end-to-end tests drive.
const HEROKU_CLI: &str = "heroku@11";

/// What the store of backups is tried with.
const S3_SERVER: [&str; 3] = ["moto[s3]==5.*", "flask", "flask-cors"];

/// The compiler whose warnings are errors here: the oldest that builds the workspace.
const COMPILER: &str = env!("CARGO_PKG_RUST_VERSION");

/// Formatting, lints, layering, and links of the documentation.
pub(crate) fn check() -> Result<()> {
    step("layering rules");
    tidy::tidy()?;
    step("formatting");
    run(Command::new("cargo").args(["fmt", "--all", "--check"]))?;
    let deny = warnings_are_errors()?;
    step("lints");
    let mut lints = Command::new("cargo");
    lints.args(["clippy", "--workspace", "--all-targets"]);
    if deny {
        lints.args(["--", "--deny", "warnings"]);
    }
    run(&mut lints)?;
    step("documentation");
    let mut documents = Command::new("cargo");
    documents.args(["doc", "--workspace", "--no-deps", "--quiet"]);
    if deny {
        documents.env("RUSTDOCFLAGS", "--deny warnings");
    }
    run(&mut documents)
}

/// A newer compiler knows lints that nobody has met yet: what it says is worth reading, but a
/// change must not fail for it.
fn warnings_are_errors() -> Result<bool> {
    let version = read(Command::new("rustc").arg("--version"))?;
    let same = version.starts_with(&format!("rustc {COMPILER}."));
    if !same {
        say(&format!("    {} is not {COMPILER}: its warnings are shown and fail nothing", version.trim()));
    }
    Ok(same)
}

/// All tests; `filter` words are handed to the test runner.
pub(crate) fn test(filter: &[String]) -> Result<()> {
    let start = Instant::now();
    require_root("running the tests (they start real containers)")?;
    install(&[SERVER, TESTS])?;
    check()?;
    let heroku = official_cli()?;
    let store = s3_server()?;
    step("building");
    run(Command::new("cargo").args(["build", "--workspace", "--all-targets"]))?;
    step("running the tests");
    let mut command = Command::new("cargo");
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .env("KIGO_TEST_HEROKU", heroku)
        .env("KIGO_TEST_S3", store);
    if !filter.is_empty() {
        command.arg("--").args(filter);
    }
    run(&mut command)?;
    say(&format!("all tests passed in {} s", start.elapsed().as_secs()));
    Ok(())
}

/// Installs the official CLI from npm into `target/`, once, and returns its program.
pub(crate) fn official_cli() -> Result<PathBuf> {
    let prefix = Path::new("target/heroku-cli");
    let program = std::path::absolute(prefix.join("node_modules/.bin/heroku"))?;
    if !program.exists() {
        step(&format!("installing the official CLI ({HEROKU_CLI}) from npm"));
        std::fs::create_dir_all(prefix)?;
        run(Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"])
            .arg(prefix)
            .arg(HEROKU_CLI))?;
    }
    Ok(program)
}

/// Installs a program that speaks S3 from PyPI into `target/`, once, and returns it.
fn s3_server() -> Result<PathBuf> {
    let place = Path::new("target/s3");
    let program = std::path::absolute(place.join("bin/moto_server"))?;
    if !program.exists() {
        if read(Command::new("python3").args(["-c", "import ensurepip"])).is_err() {
            install(&[&[("", "python3-venv")]])?;
        }
        step(&format!("installing an S3 server ({}) from PyPI", S3_SERVER[0]));
        run(Command::new("python3").args(["-m", "venv"]).arg(place))?;
        run(Command::new(place.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(S3_SERVER))?;
    }
    Ok(program)
}
