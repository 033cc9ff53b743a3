//! Starting a dyno against `crun` starting the same root, both until the program's first word.

use crate::figures::{median, ratio, say};
use anyhow::{Context, Result};
use e2e::{Output, server};
use std::process::Command;

pub(crate) fn start() -> Result<()> {
    let printed = Output::of(Command::new(server::kigo()?).args(["bench-start", "--rounds", "31"]))?.ok()?;
    let column = |name: &str| -> Result<Vec<f64>> {
        let line =
            printed.stdout.lines().find_map(|line| line.strip_prefix(name)).context("a row of figures")?;
        Ok(line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
    };
    let (ours, theirs) = (column("kigo")?, column("crun")?);
    say(&format!(
        "dyno start to first output   kigo {:.1} ms   crun {:.1} ms   ratio {:.2}   (aim ≤ 0.5)",
        median(&ours),
        median(&theirs),
        ratio(&ours, &theirs)
    ));
    Ok(())
}
