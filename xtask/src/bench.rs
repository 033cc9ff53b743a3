//! `cargo xtask bench`: builds for speed, then runs the benchmark against that build.

use crate::packages::{BENCH, SERVER, install, require_root};
use crate::shell::{run, step};
use crate::test::official_cli;
use anyhow::Result;
use std::process::Command;

/// Runs all parts, or the named ones.
pub(crate) fn bench(parts: &[String]) -> Result<()> {
    require_root("running the benchmark (it starts real containers)")?;
    install(&[SERVER, BENCH])?;
    let heroku = official_cli()?;
    step("building kigo for speed");
    run(Command::new("cargo").args(["build", "--release", "--package", "kigo"]))?;
    run(Command::new("cargo")
        .args(["run", "--quiet", "--package", "e2e", "--bin", "bench", "--"])
        .args(parts)
        .env("KIGO_TEST_HEROKU", heroku)
        .env("KIGO_TEST_BINARY", std::path::absolute("target/release/kigo")?))
}
