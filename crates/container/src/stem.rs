//! What the server says to the process that shims are forked from, its *stem*.
//!
//! One message is one [`Call`] for one shim, with three files: the container's lock, its
//! `shim.log`, and one end of a pair of sockets between the server and the new shim
//! ([`Line`]). There is no answer; the shim answers on its line, and a line that closes without a
//! word says that there is no shim.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// A shim that is wanted.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The container's directory.
    pub directory: PathBuf,
    /// Size of the container's disk in bytes: making one takes longest, and begins at once.
    pub disk: u64,
}

/// What comes with a call.
pub(crate) struct Files<F> {
    pub lock: F,
    pub log: F,
    pub line: F,
}

/// Longest message. A path has at most 4096 bytes (`PATH_MAX`), each of which JSON may escape.
const LONGEST: usize = 32 << 10;

/// Sends a call on a socket that keeps messages apart.
pub(crate) fn send(socket: impl AsFd, call: &Call, files: &Files<BorrowedFd<'_>>) -> io::Result<()> {
    let bytes = serde_json::to_vec(call)?;
    let descriptors = [files.lock, files.log, files.line];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for a call; `None` when the server is gone.
pub(crate) fn receive(socket: impl AsFd) -> io::Result<Option<(Call, Files<OwnedFd>)>> {
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        match recvmsg(&socket, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut descriptors = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
        _ => Vec::new(),
    });
    let files = (descriptors.next(), descriptors.next(), descriptors.next());
    let (Some(lock), Some(log), Some(line)) = files else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a call without its files"));
    };
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a call that was cut off"));
    }
    Ok(Some((serde_json::from_slice(&bytes[..received.bytes])?, Files { lock, log, line })))
}

/// What a shim says when it can be connected to. Anything else is why there is no shim.
pub(crate) const READY: &[u8] = b"\n";

/// A new shim's end of its line to the server.
pub(crate) struct Line(UnixStream);

impl Line {
    pub(crate) fn new(descriptor: OwnedFd) -> Self {
        Self(descriptor.into())
    }

    /// Tells the server that it can connect. It may be gone, which shows when it is waited for.
    pub(crate) fn ready(&mut self) {
        let _ = self.0.write_all(READY);
    }

    /// Tells the server why there is no shim.
    pub(crate) fn fail(mut self, story: &str) {
        let _ = self.0.write_all(story.as_bytes());
    }

    /// Waits for the server to close its half: it has written the container's spec, or given up,
    /// or it is gone.
    pub(crate) fn wait(mut self) {
        // The server says nothing; a connection that is broken is closed as well.
        let _ = self.0.read(&mut [0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::os::fd::AsRawFd;

    fn sockets() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
    }

    fn call(directory: &str) -> Call {
        Call { directory: directory.into(), disk: 7 }
    }

    #[test]
    fn calls_arrive_one_by_one_with_their_files() {
        let (server, stem) = sockets();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let files = Files { lock: server.as_fd(), log: stem.as_fd(), line: theirs.as_fd() };
        let long = format!("/{}", "\"".repeat(4094));
        send(&server, &call(&long), &files).unwrap();
        send(&server, &call("/two"), &files).unwrap();
        drop((theirs, server));

        let (one, Files { line, .. }) = receive(&stem).unwrap().unwrap();
        assert_eq!(one, call(&long));
        assert!(line.as_raw_fd() > 2);
        let mut line = Line::new(line);
        line.ready();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        line.wait();

        let (two, Files { line, .. }) = receive(&stem).unwrap().unwrap();
        assert_eq!(two, call("/two"));
        Line::new(line).fail("no");
        let mut heard = String::new();
        (&ours).read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "\nno");
        assert!(receive(&stem).unwrap().is_none());
    }

    #[test]
    fn a_call_without_its_files_is_refused() {
        let (server, stem) = sockets();
        rustix::io::write(&server, br#"{"directory": "/x", "disk": 1}"#).unwrap();
        assert!(receive(&stem).is_err());
    }
}
