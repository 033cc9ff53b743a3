//! `kigo purge`: takes away everything that an installation has on this machine.

use crate::config::Config;
use crate::data_dir::DataDir;
use anyhow::{Context, Result, bail};
use engine_local::{Local, LocalConfig};
use image::ImageStore;
use std::io::{BufRead, Write};

/// Ends all dynos, takes away their network, control groups and mounts, and removes the data
/// directory. Asks before it does, unless `yes`.
pub(crate) fn purge(config: &Config, yes: bool) -> Result<()> {
    let data = &config.data_dir;
    if !data.exists() {
        return Ok(());
    }
    if !data.join("lock").exists() {
        bail!("{} is not a data directory of Kigo", data.display());
    }
    let taken = DataDir::take(data)?;
    if !yes && !confirmed(&format!("Remove all apps, their data and {}? Type yes: ", data.display()))? {
        bail!("nothing was removed");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let images = ImageStore::open(data)?;
        let local = LocalConfig { subnet: config.subnet.parse()?, ..LocalConfig::new(data.clone()) };
        let engine = Local::open(local, images).await?;
        engine.destroy().await?;
        engine.settle().await;
        anyhow::Ok(())
    })?;
    drop(taken);
    std::fs::remove_dir_all(data).with_context(|| format!("cannot remove {}", data.display()))
}

#[expect(clippy::print_stderr, reason = "a question for the person who typed the command")]
fn confirmed(question: &str) -> Result<bool> {
    eprint!("{question}");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
