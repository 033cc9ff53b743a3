//! `kigo purge`: takes away everything that an installation has on this machine.

use crate::config::Config;
use crate::data_dir::DataDir;
use anyhow::{Context, Result, bail};
use engine_local::{Local, LocalConfig};
use image::ImageStore;
use std::io::{self, BufRead, ErrorKind, Write};
use std::path::Path;

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
    remove(data).with_context(|| format!("cannot remove {}", data.display()))
}

/// Removes a directory with all that is in it. One where a disk is mounted, or that a link leads to,
/// stays and is empty.
fn remove(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if std::fs::symlink_metadata(&path)?.is_dir() {
            std::fs::remove_dir_all(path)?;
        } else {
            std::fs::remove_file(path)?;
        }
    }
    match std::fs::remove_dir(directory) {
        Err(error) if matches!(error.kind(), ErrorKind::ResourceBusy | ErrorKind::NotADirectory) => Ok(()),
        other => other,
    }
}

#[expect(clippy::print_stderr, reason = "a question for the person who typed the command")]
fn confirmed(question: &str) -> Result<bool> {
    eprint!("{question}");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_goes_and_one_behind_a_link_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let (data, link) = (folder.path().join("data"), folder.path().join("link"));
        for behind in [false, true] {
            std::fs::create_dir_all(data.join("logs/app")).unwrap();
            std::fs::write(data.join("logs/app/1.log"), "x").unwrap();
            std::fs::write(data.join("lock"), "").unwrap();
            std::os::unix::fs::symlink("/", data.join("elsewhere")).unwrap();
            if behind {
                std::os::unix::fs::symlink(&data, &link).unwrap();
            }
            remove(if behind { &link } else { &data }).unwrap();
            assert_eq!(data.exists(), behind);
        }
        assert_eq!(std::fs::read_dir(data).unwrap().count(), 0);
    }
}
