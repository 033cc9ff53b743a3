//! Named pipes between a hook's container and this server: a dump goes through one, figures through
//! another. They lie in a directory that the container sees read-only: it can write into a pipe or read
//! from it, but neither replace nor remove it.

use domain::Digest;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use sha2::{Digest as _, Sha256};
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Read or written at a time.
const PIECE: usize = 1 << 18;

/// The user that hooks run as.
const OWNER: u32 = 1000;

/// How often a sender looks whether all that it sent was taken.
const PAUSE: Duration = Duration::from_millis(20);

/// A pipe with a task at its end here.
pub(super) struct Pipe<T> {
    /// An end of it that is open as long as the container is there: a reader does not take a silent
    /// container for the end, a sender does not take one that has not begun yet for one that is gone.
    keeper: OwnedFd,
    over: Arc<AtomicBool>,
    task: JoinHandle<io::Result<T>>,
}

impl<T> Pipe<T> {
    /// Once the container is gone: what came of it.
    pub(super) async fn finish(self) -> io::Result<T> {
        self.over.store(true, Ordering::Relaxed);
        drop(self.keeper);
        self.task.await.map_err(io::Error::other)?
    }
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

/// Keeps what comes through a new pipe in `target`. `count` tells how much that is meanwhile.
pub(super) fn receive(
    path: &Path,
    target: File,
    limit: u64,
    count: Arc<AtomicU64>,
) -> io::Result<Pipe<Received>> {
    reading(path, move |mut pipe| {
        let kept = keep(&mut pipe, target, limit, &count);
        // Who writes must not be stopped by our error: its exit status says more.
        let _ = io::copy(&mut pipe, &mut io::sink());
        kept
    })
}

/// Keeps at most `limit` bytes of text that comes through a new pipe.
pub(super) fn collect(path: &Path, limit: u64) -> io::Result<Pipe<String>> {
    reading(path, move |mut pipe| {
        let mut bytes = Vec::new();
        (&mut pipe).take(limit).read_to_end(&mut bytes)?;
        let _ = io::copy(&mut pipe, &mut io::sink());
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    })
}

/// Sends `source` through a new pipe.
pub(super) fn send(path: &Path, source: File, count: Arc<AtomicU64>) -> io::Result<Pipe<()>> {
    make(path)?;
    let keeper = open(path, OFlags::RDONLY)?;
    let end = open(path, OFlags::WRONLY)?;
    blocking(&end)?;
    let over = Arc::new(AtomicBool::new(false));
    let seen = over.clone();
    let task = tokio::task::spawn_blocking(move || {
        match pass(source, File::from(end), &count, &seen) {
            // The container did not want all of it. Why, its exit status says.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    });
    Ok(Pipe { keeper, over, task })
}

fn pass(mut source: File, mut end: File, count: &AtomicU64, over: &AtomicBool) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = source.read(&mut piece)?;
        if read == 0 {
            break;
        }
        end.write_all(&piece[..read])?;
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
    // Whoever opens the pipe after its last writer is gone would wait for another one for ever.
    while !over.load(Ordering::Relaxed) && rustix::io::ioctl_fionread(&end)? > 0 {
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn reading<T: Send + 'static>(
    path: &Path,
    read: impl FnOnce(File) -> io::Result<T> + Send + 'static,
) -> io::Result<Pipe<T>> {
    make(path)?;
    // In this order neither waits for the other.
    let end = open(path, OFlags::RDONLY)?;
    let keeper = open(path, OFlags::WRONLY)?;
    blocking(&end)?;
    let task = tokio::task::spawn_blocking(move || read(File::from(end)));
    Ok(Pipe { keeper, over: Arc::default(), task })
}

fn keep(pipe: &mut File, mut target: File, limit: u64, count: &AtomicU64) -> io::Result<Received> {
    let mut hash = Sha256::new();
    let mut bytes = 0_u64;
    let mut piece = vec![0; PIECE];
    loop {
        let read = pipe.read(&mut piece)?;
        if read == 0 {
            break;
        }
        bytes = bytes.saturating_add(read as u64);
        if bytes > limit {
            return Err(io::Error::other(format!("the dump has more than {limit} bytes")));
        }
        hash.update(&piece[..read]);
        target.write_all(&piece[..read])?;
        count.store(bytes, Ordering::Relaxed);
    }
    target.sync_all()?;
    Ok(Received { digest: Digest::from_bytes(hash.finalize().into()), bytes })
}

/// The digest of a file.
pub(super) fn digest(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(Digest::from_bytes(hash.finalize().into()));
        }
        hash.update(&piece[..read]);
    }
}

fn make(path: &Path) -> io::Result<()> {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    chown(path, Some(OWNER), Some(OWNER))
}

fn open(path: &Path, how: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, how | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?)
}

fn blocking(end: &OwnedFd) -> io::Result<()> {
    Ok(rustix::fs::fcntl_setfl(end, OFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_sent_is_what_is_received() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for size in [1, 70_000, 3_000_000] {
            let content: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
            std::fs::write(&from, &content).unwrap();
            let (input, output) = (dir.path().join("in"), dir.path().join("out"));
            let count = Arc::new(AtomicU64::new(0));
            let sending = send(&input, File::open(&from).unwrap(), Arc::default()).unwrap();
            let receiving = receive(&output, File::create(&to).unwrap(), 1 << 30, count.clone()).unwrap();
            let mut cat = Command::new("cat");
            cat.stdin(File::open(&input).unwrap());
            cat.stdout(File::options().write(true).open(&output).unwrap());
            let status = tokio::task::spawn_blocking(move || cat.status().unwrap()).await.unwrap();
            assert!(status.success());
            sending.finish().await.unwrap();
            let received = receiving.finish().await.unwrap();
            assert_eq!((received.bytes, count.load(Ordering::Relaxed)), (size.into(), size.into()));
            assert_eq!(received.digest, digest(&from).unwrap());
            assert_eq!(std::fs::read(&to).unwrap(), content);
            for path in [&input, &output] {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_container_that_never_reads_or_never_writes_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        std::fs::write(&from, vec![7; 1 << 20]).unwrap();
        let sending = send(&dir.path().join("in"), File::open(&from).unwrap(), Arc::default()).unwrap();
        sending.finish().await.unwrap();
        std::fs::write(&from, b"little").unwrap();
        let sending = send(&dir.path().join("in2"), File::open(&from).unwrap(), Arc::default()).unwrap();
        sending.finish().await.unwrap();
        let target = File::create(dir.path().join("to")).unwrap();
        let receiving = receive(&dir.path().join("out"), target, 1, Arc::default()).unwrap();
        assert_eq!(receiving.finish().await.unwrap().bytes, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_than_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let target = File::create(dir.path().join("to")).unwrap();
        let receiving = receive(&path, target, 5, Arc::default()).unwrap();
        std::fs::write(&path, b"sixsix").unwrap();
        let error = receiving.finish().await.unwrap_err();
        assert!(error.to_string().contains("more than 5 bytes"), "{error}");
    }
}
