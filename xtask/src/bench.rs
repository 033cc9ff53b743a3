//! `cargo xtask bench`: builds for speed, then runs the benchmark against that build.

use crate::packages::{BENCH, SERVER, TESTS, install, require_root};
use crate::shell::{run, step};
use crate::test::official_cli;
use anyhow::Result;
use std::process::Command;

/// Runs all parts, or the named ones.
pub(crate) fn bench(parts: &[String]) -> Result<()> {
    require_root("running the benchmark (it starts real containers)")?;
    install(&[SERVER, TESTS, BENCH])?;
    let heroku = official_cli()?;
    step("building kigo for speed");
    run(Command::new("cargo").args(["build", "--release", "--package", "kigo"]))?;
    let start = ["--package", "engine-local", "--example", "start_time"];
    run(Command::new("cargo").args(["build", "--release"]).args(start))?;
    run(Command::new("cargo")
        .args(["run", "--quiet", "--package", "e2e", "--bin", "bench", "--"])
        .args(parts)
        .env("KIGO_TEST_HEROKU", heroku)
        .env("KIGO_TEST_BINARY", std::path::absolute("target/release/kigo")?)
        .env("KIGO_BENCH_START", std::path::absolute("target/release/examples/start_time")?))
}
