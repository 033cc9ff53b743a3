//! The server's side of the process that shims are forked from.

use crate::stem::{self, Call, Files};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// What the stem is called in a list of processes. Its forks write their own names over this one,
/// which has to be long enough for that.
const TITLE: &str = "kigo shim, from which those of containers are forked";

/// Starts shims. The process behind it is started when the first one is wanted, and again when it
/// has died.
pub(super) struct Stem {
    /// Program and first arguments that end up in [`crate::shim::main`].
    command: Vec<OsString>,
    /// The control group of the installation.
    parent: String,
    process: Mutex<Option<Process>>,
}

impl Stem {
    pub(super) fn new(command: Vec<OsString>, parent: String) -> Self {
        Self { command, parent, process: Mutex::default() }
    }

    /// Has a shim begin. Returns the server's end of its line.
    pub(super) fn call(&self, call: &Call, lock: &File, log: &File) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        let files = Files { lock: lock.as_fd(), log: log.as_fd(), line: theirs.as_fd() };
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*process
            && stem::send(&running.socket, call, &files).is_ok()
        {
            return Ok(ours);
        }
        let fresh = process.insert(Process::start(&self.command, &self.parent)?);
        stem::send(&fresh.socket, call, &files)?;
        Ok(ours)
    }
}

/// A running stem. It ends when this is dropped, and by itself when this process ends.
struct Process {
    socket: OwnedFd,
    child: Child,
}

impl Process {
    fn start(command: &[OsString], parent: &str) -> io::Result<Self> {
        let [program, arguments @ ..] = command else {
            return Err(io::Error::other("no shim command is configured"));
        };
        let (socket, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let child = Command::new(program)
            .arg0(TITLE)
            .args(arguments)
            .arg(parent)
            .stdin(Stdio::from(theirs))
            .env_clear()
            .current_dir("/")
            .spawn()?;
        Ok(Self { socket, child })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It holds nothing that could be left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
