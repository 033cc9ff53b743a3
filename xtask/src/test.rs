//! `cargo xtask test`: everything a change has to pass, with all that it needs installed first.

use crate::packages::{SERVER, TESTS, install, require_root};
use crate::shell::{run, say, step};
use crate::tidy;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The version line of the official CLI that the end-to-end tests drive.
const HEROKU_CLI: &str = "heroku@11";

/// Formatting, lints and layering.
pub(crate) fn check() -> Result<()> {
    step("layering rules");
    tidy::tidy()?;
    step("formatting");
    run(Command::new("cargo").args(["fmt", "--all", "--check"]))?;
    step("lints");
    run(Command::new("cargo").args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

/// All tests; `filter` words are handed to the test runner.
pub(crate) fn test(filter: &[String]) -> Result<()> {
    let start = Instant::now();
    require_root("running the tests (they start real containers)")?;
    install(&[SERVER, TESTS])?;
    let heroku = official_cli()?;
    step("building");
    run(Command::new("cargo").args(["build", "--workspace", "--all-targets"]))?;
    step("running the tests");
    let mut command = Command::new("cargo");
    command.args(["test", "--workspace", "--no-fail-fast"]).env("KIGO_TEST_HEROKU", heroku);
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
