//! Chores of the workspace, in Rust so that they run wherever the project builds.
//!
//! `cargo xtask up` and `cargo xtask test` are the two commands of the README: each installs what
//! it needs from Debian's packages, says what it does, and leaves nothing for the reader to guess.

mod bench;
mod packages;
mod shell;
mod test;
mod tidy;
mod up;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  up         set up this machine, start Kigo, deploy the sample app
  down       stop what `up` started; --purge also removes its data
  test       install what the tests need, check, and run all of them
  check      formatting, lints, documentation and the layering rules
  tidy       the layering rules alone
  bench      print Kigo's speed as ratios to its peers (PART to run one: start, deploy, builds, addons, router, memory)
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match words.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    match run(command, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, rest: &[String]) -> Result<()> {
    // Every chore works from the root of the workspace, whatever folder it was called in.
    std::env::set_current_dir(shell::root())?;
    match command {
        "up" => up::up(),
        "down" => up::down(rest.iter().any(|word| word == "--purge")),
        "test" => test::test(rest),
        "check" => test::check(),
        "tidy" => tidy::tidy(),
        "bench" => bench::bench(rest),
        "help" | "--help" | "-h" => {
            shell::say(USAGE);
            Ok(())
        }
        other => bail!("no such command: {other}\n\n{USAGE}"),
    }
}
