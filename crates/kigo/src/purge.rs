//! `kigo purge`: takes away everything that an installation has on this machine.

use crate::config::Config;
use crate::data_dir::DataDir;
use anyhow::{Context, Result, bail};
use engine_local::{Local, LocalConfig};
use image::ImageStore;
use std::io::{self, BufRead, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Threads that remove files. A disk that is told of each freed block, as with the mount option
/// `discard`, lets each of them wait.
const REMOVERS: usize = 8;

/// Removes the files below a directory. What cannot be removed stays.
fn remove_files(directory: &Path) {
    let directories = directories(directory);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..REMOVERS {
            scope.spawn(|| {
                while let Some(directory) = directories.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                        if entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
                            let _ = std::fs::remove_file(entry.path());
                        }
                    }
                }
            });
        }
    });
}

/// All directories below one, as far as they can be read. Links are followed nowhere.
fn directories(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    let mut at = 0;
    while let Some(entries) = found.get(at).map(std::fs::read_dir) {
        let below = entries.into_iter().flatten().flatten();
        let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        found.extend(below.map(|entry| entry.path()));
        at += 1;
    }
    found
}

/// Removes a directory with all that is in it. One where a disk is mounted, or that a link leads to,
/// stays and is empty.
fn remove(directory: &Path) -> io::Result<()> {
    remove_files(directory);
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
            std::fs::create_dir_all(data.join("layers/one/usr/lib")).unwrap();
            std::fs::write(data.join("layers/one/usr/lib/file"), "x").unwrap();
            std::os::unix::fs::symlink(folder.path(), data.join("layers/one/out")).unwrap();
            std::fs::write(folder.path().join("kept"), "x").unwrap();
            std::os::unix::fs::symlink("/", data.join("elsewhere")).unwrap();
            if behind {
                std::os::unix::fs::symlink(&data, &link).unwrap();
            }
            remove(if behind { &link } else { &data }).unwrap();
            assert_eq!(data.exists(), behind);
            assert!(folder.path().join("kept").exists(), "a link was followed");
        }
        assert_eq!(std::fs::read_dir(data).unwrap().count(), 0);
    }
}
