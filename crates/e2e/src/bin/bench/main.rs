//! `cargo xtask bench`: Kigo's speed, as ratios to a named peer measured in the same run.
//!
//! Absolute times of one machine mean little to another, and on a busy one little to itself; so
//! Kigo and its peer take turns, and the median of the ratios is what is printed.

mod addons;
mod builds;
mod deploy;
mod figures;
mod memory;
mod push;
mod router;
mod start;

use anyhow::{Result, bail};
use std::process::ExitCode;

/// A part of the benchmark: its name and what runs it.
type Part = (&'static str, fn() -> Result<()>);

const PARTS: &[Part] = &[
    ("start", start::start),
    ("deploy", deploy::deploy),
    ("builds", builds::builds),
    ("addons", addons::addons),
    ("router", router::router),
    ("memory", memory::memory),
];

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            figures::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(wanted: &[String]) -> Result<()> {
    let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("no part {unknown}; there are {}", names.join(", "));
    }
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            figures::say(&format!("== {name}"));
            part()?;
        }
    }
    Ok(())
}

/// Runs the asynchronous part of a benchmark.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}
