//! `kigo stack prepare`: the stack's images, made ahead of the first start.

use crate::config::Config;
use crate::data_dir::DataDir;
use anyhow::{Context, Result};
use image::ImageStore;
use std::path::Path;
use tokio::sync::mpsc;

/// Makes every stack that is not ready, showing progress.
pub(crate) fn prepare(config: &Config) -> Result<()> {
    let _taken = DataDir::take(&config.data_dir)?;
    let images = ImageStore::open(&config.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(ensure_all(&images, &config.data_dir, show))
}

/// Makes every stack that is not ready; `show` gets the lines about it.
pub(crate) async fn ensure_all(images: &ImageStore, data: &Path, show: impl Fn(&str)) -> Result<()> {
    for name in builder::stack::names() {
        let (sender, mut lines) = mpsc::channel(64);
        let output = builder::Output::new(sender);
        let making = async {
            let made = builder::stack::ensure(images, data, name, &output).await;
            drop(output);
            made
        };
        let showing = async {
            while let Some(line) = lines.recv().await {
                show(line.trim_end());
            }
        };
        let (made, ()) = tokio::join!(making, showing);
        made.with_context(|| format!("cannot make the stack {name}"))?;
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "progress for the person who typed the command")]
fn show(line: &str) {
    eprintln!("{line}");
}
