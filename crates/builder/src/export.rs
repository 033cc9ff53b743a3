//! What comes out of a build container: archives through named pipes.
//!
//! The pipes lie in the working directory that the container sees read-only: it can write into
//! them, but neither replace nor remove them. Whatever arrives is a stranger's archive and is
//! unpacked as one.

use crate::source::OWNER;
use crate::work::{Work, give_to_owner};
use crate::{BuildError, Settings};
use image::{UnpackOptions, unpack};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use tokio::task::JoinHandle;

/// A pipe whose reader waits.
pub(crate) struct Pipe {
    /// An open end for writing: as long as it is there, the reader does not take a silent container
    /// for the end.
    keeper: OwnedFd,
    reader: JoinHandle<Result<Option<PathBuf>, BuildError>>,
}

impl Pipe {
    /// Makes the pipe `/kigo/pipes/<name>` and waits there for an archive of at most `limit` bytes,
    /// which is unpacked while it comes.
    pub(crate) fn open(work: &Work, name: &str, limit: u64, settings: &Settings) -> Result<Self, BuildError> {
        let path = work.inside("pipes").join(name);
        let target =
            work.fresh_output(name).map_err(BuildError::system("making room for a build's result"))?;
        let make = || {
            let nonblocking = OFlags::NONBLOCK | OFlags::CLOEXEC;
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
            give_to_owner(&path, 0o600)?;
            // In this order neither waits for the other.
            let end = rustix::fs::open(&path, OFlags::RDONLY | nonblocking, Mode::empty())?;
            let keeper = rustix::fs::open(&path, OFlags::WRONLY | nonblocking, Mode::empty())?;
            rustix::fs::fcntl_setfl(&end, OFlags::empty())?;
            Ok((File::from(end), keeper))
        };
        let (end, keeper) = make().map_err(BuildError::system("making a pipe for a build's result"))?;
        let mut options = UnpackOptions::slug(OWNER, OWNER);
        options.limits.bytes = limit;
        options.limits.time = settings.timeout;
        let reader = tokio::task::spawn_blocking(move || receive(end, target, &options));
        Ok(Self { keeper, reader })
    }

    /// Once no container can write any more: the unpacked tree, or `None` if nothing was sent.
    pub(crate) async fn finish(self) -> Result<Option<PathBuf>, BuildError> {
        drop(self.keeper);
        match self.reader.await {
            Ok(result) => result,
            Err(error) => Err(BuildError::Container(format!("the reader of its result failed: {error}"))),
        }
    }
}

fn receive(mut file: File, target: PathBuf, options: &UnpackOptions) -> Result<Option<PathBuf>, BuildError> {
    let mut head = [0; 4096];
    let first = file.read(&mut head).map_err(BuildError::system("reading a build's result"))?;
    if first == 0 {
        return Ok(None);
    }
    let result = unpack(head[..first].chain(&mut file), &target, options);
    // A writer must not be stopped by our error: its exit status says more.
    let _ = std::io::copy(&mut file, &mut std::io::sink());
    result.map_err(BuildError::Result)?;
    Ok(Some(target))
}
