//! Starting a dyno against `crun` starting the same root, both until the program's first line. What
//! is measured is an example of the crate `engine-local`, which `cargo xtask bench` builds.

use crate::figures::{median, ratio, say};
use anyhow::{Context, Result};
use e2e::{Output, server};
use std::process::Command;

const ROUNDS: usize = 31;

pub(crate) fn start() -> Result<()> {
    let program =
        std::env::var_os("KIGO_BENCH_START").context("set KIGO_BENCH_START to the built example")?;
    let crun = std::env::var_os("KIGO_BENCH_CRUN").unwrap_or_else(|| "/usr/bin/crun".into());
    let mut command = Command::new(program);
    command.arg(ROUNDS.to_string()).arg(&crun).arg(server::kigo()?).arg("shim");
    let printed = Output::of(&mut command)?.ok()?;
    let column = |name: &str| -> Result<Vec<f64>> {
        let line =
            printed.stdout.lines().find_map(|line| line.strip_prefix(name)).context("a row of figures")?;
        Ok(line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
    };
    let (ours, theirs) = (column("kigo")?, column("crun")?);
    let version = Output::of(Command::new(crun).arg("--version"))?.ok()?.stdout;
    say(&format!(
        "dyno start to first line   kigo {:.1} ms   crun {:.1} ms   ratio {:.2}   (aim ≤ 0.5; {})",
        median(&ours),
        median(&theirs),
        ratio(&ours, &theirs),
        version.lines().next().unwrap_or_default()
    ));
    Ok(())
}
