//! `kigo stack`: the stack's images, made ahead of the first start, or anew with Debian's updates.

use crate::config::Config;
use crate::data_dir::DataDir;
use anyhow::{Context, Result};
use image::ImageStore;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often it is looked whether a stack has become old.
const LOOK: Duration = Duration::from_hours(1);

/// Makes every stack that is not ready, showing progress.
pub(crate) fn prepare(config: &Config) -> Result<()> {
    let _taken = DataDir::take(&config.data_dir)?;
    let images = ImageStore::open(&config.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(ensure_all(&images, &config.data_dir, show))
}

/// Makes every stack anew, showing progress; one that is not there as well.
pub(crate) fn refresh(config: &Config) -> Result<()> {
    let _taken = DataDir::take(&config.data_dir)?;
    let images = ImageStore::open(&config.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        refresh_all(&images, &config.data_dir, Duration::ZERO, show).await?;
        ensure_all(&images, &config.data_dir, show).await
    })
}

/// Makes stacks anew when they are as old as the configuration says, for ever.
pub(crate) async fn keep_young(images: &ImageStore, config: &Config) {
    let Some(age) = config.stack_age else { return std::future::pending().await };
    loop {
        if let Err(error) =
            refresh_all(images, &config.data_dir, age, |line| tracing::info!("stack: {line}")).await
        {
            tracing::warn!("{error:#}; builds use the old one, and it is tried again in an hour");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Makes every stack that is not ready; `show` gets the lines about it.
pub(crate) async fn ensure_all(images: &ImageStore, data: &Path, show: impl Fn(&str)) -> Result<()> {
    for name in builder::stack::names() {
        let making = async |output| builder::stack::ensure(images, data, name, &output).await;
        showing(making, &show).await.with_context(|| format!("cannot make the stack {name}"))?;
    }
    Ok(())
}

/// Makes every stack anew that was made so long ago.
async fn refresh_all(images: &ImageStore, data: &Path, age: Duration, show: impl Fn(&str)) -> Result<()> {
    for name in builder::stack::names() {
        let making = async |output| builder::stack::refresh(images, data, name, age, &output).await;
        showing(making, &show).await.with_context(|| format!("cannot make the stack {name} anew"))?;
    }
    Ok(())
}

/// Shows what `making` tells while it is at work.
async fn showing<T>(making: impl AsyncFnOnce(builder::Output) -> T, show: impl Fn(&str)) -> T {
    let (sender, mut lines) = mpsc::channel::<String>(64);
    let showing = async {
        while let Some(line) = lines.recv().await {
            show(line.trim_end());
        }
    };
    tokio::join!(making(builder::Output::new(sender)), showing).0
}

#[expect(clippy::print_stderr, reason = "progress for the person who typed the command")]
fn show(line: &str) {
    eprintln!("{line}");
}
