//! The one client of a container with a terminal: bytes both ways, nothing kept.

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Bytes that wait in each direction before reading stops.
const MOST: usize = 64 << 10;

/// End of file as a terminal's user types it.
const END_OF_TRANSMISSION: u8 = 4;

/// The pump between client and program.
pub(super) struct Attached {
    client: Option<UnixStream>,
    /// What the program prints; with a terminal also what it reads.
    output: Option<OwnedFd>,
    /// What the program reads, unless that is a terminal.
    input: Option<OwnedFd>,
    is_terminal: bool,
    /// The program's side of the terminal. As long as somebody has it open, a terminal that the
    /// program has closed, or not opened yet, is just quiet; else polling it would never rest.
    peer: Option<OwnedFd>,
    client_ended: bool,
    to_program: Vec<u8>,
    to_client: Vec<u8>,
}

/// Whether the client left this moment.
#[derive(PartialEq, Eq)]
pub(super) enum Line {
    Open,
    HungUp,
}

impl Attached {
    pub(super) fn new(client: UnixStream, read: Vec<u8>, output: OwnedFd, input: Option<OwnedFd>) -> Self {
        let is_terminal = input.is_none();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let peer = if is_terminal { ioctl_tiocgptpeer(&output, flags).ok() } else { None };
        Self {
            peer,
            client: Some(client),
            output: Some(output),
            input,
            is_terminal,
            client_ended: false,
            to_program: read,
            to_client: Vec::new(),
        }
    }

    /// Says something to the client in the program's place.
    pub(super) fn say(&mut self, text: &str) {
        self.to_client.extend_from_slice(text.as_bytes());
        self.to_client.extend_from_slice(b"\r\n");
    }

    /// What to wait for: client, program's output, program's input.
    pub(super) fn interest(&self) -> [Option<(BorrowedFd<'_>, PollFlags)>; 3] {
        let flag = |wanted, flag| if wanted { flag } else { PollFlags::empty() };
        let reads = flag(self.to_client.len() < MOST, PollFlags::IN);
        let writes = flag(!self.to_program.is_empty(), PollFlags::OUT);
        let client = flag(self.to_program.len() < MOST && !self.client_ended, PollFlags::IN)
            | flag(!self.to_client.is_empty(), PollFlags::OUT);
        let with_input = if self.is_terminal { reads | writes } else { reads };
        [
            self.client.as_ref().map(|fd| (fd.as_fd(), client)),
            // A hung-up line would wake the poll again and again.
            self.output.as_ref().filter(|_| !with_input.is_empty()).map(|fd| (fd.as_fd(), with_input)),
            self.input.as_ref().filter(|_| !writes.is_empty()).map(|fd| (fd.as_fd(), writes)),
        ]
    }

    /// Moves what can be moved, given what the poll said about the client.
    pub(super) fn pump(&mut self, client: PollFlags) -> Line {
        if self.client.is_none() {
            self.read_program();
            self.to_client.clear();
            return Line::Open;
        }
        self.read_client();
        self.write_program();
        self.read_program();
        let broken = !self.write_client();
        if broken || client.intersects(PollFlags::HUP | PollFlags::ERR) {
            self.hang_up();
            return Line::HungUp;
        }
        Line::Open
    }

    /// The program is gone: fetches what it left. Returns whether the client still lacks something.
    pub(super) fn finish(&mut self) -> bool {
        drop(self.peer.take());
        while self.output.is_some() && self.read_some() {}
        self.output = None;
        self.input = None;
        if !self.write_client() {
            self.hang_up();
        }
        self.client.is_some() && !self.to_client.is_empty()
    }

    /// Sends on to the client after the end; whether there is more to send.
    pub(super) fn linger(&mut self) -> bool {
        if !self.write_client() {
            self.hang_up();
        }
        self.client.is_some() && !self.to_client.is_empty()
    }

    pub(super) fn resize(&self, columns: u16, rows: u16) -> std::io::Result<()> {
        match &self.output {
            Some(terminal) if self.is_terminal => crate::launch::set_size(terminal, columns, rows),
            _ => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    /// Lets go of the client. A terminal is closed, of which the kernel tells the program; what a
    /// program prints into a pipe goes nowhere, so that it may end in its own way.
    fn hang_up(&mut self) {
        self.client = None;
        if self.is_terminal {
            self.output = None;
            drop(self.peer.take());
        }
        self.input = None;
        self.to_client.clear();
        self.to_program.clear();
    }

    fn read_client(&mut self) {
        let Some(client) = &self.client else { return };
        if self.client_ended || self.to_program.len() >= MOST {
            return;
        }
        let mut buffer = [0; 16 << 10];
        match rustix::io::read(client, &mut buffer) {
            Ok(0) => {
                self.client_ended = true;
                if self.is_terminal {
                    self.to_program.push(END_OF_TRANSMISSION);
                }
            }
            Ok(length) => self.to_program.extend_from_slice(&buffer[..length]),
            // An error shows again when writing, or as a hang-up.
            Err(_) => {}
        }
    }

    fn write_program(&mut self) {
        let Some(target) = self.input.as_ref().or(self.output.as_ref().filter(|_| self.is_terminal)) else {
            self.to_program.clear();
            return;
        };
        if !self.to_program.is_empty() {
            match rustix::io::write(target, &self.to_program) {
                Ok(length) => drop(self.to_program.drain(..length)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                // It reads no more: nobody will ever take this.
                Err(_) => {
                    self.to_program.clear();
                    self.input = None;
                }
            }
        }
        if self.client_ended && self.to_program.is_empty() {
            // End of file for the program.
            self.input = None;
        }
    }

    fn read_program(&mut self) {
        if self.to_client.len() < MOST {
            self.read_some();
        }
    }

    /// One read from the program; false when there is nothing now or any more.
    fn read_some(&mut self) -> bool {
        let Some(output) = &self.output else { return false };
        let mut buffer = [0; 16 << 10];
        match rustix::io::read(output, &mut buffer) {
            Ok(0) => {
                self.output = None;
                false
            }
            Ok(length) => {
                self.to_client.extend_from_slice(&buffer[..length]);
                true
            }
            Err(_) => false,
        }
    }

    /// Whether the client is still there to write to.
    fn write_client(&mut self) -> bool {
        let Some(client) = &self.client else { return false };
        while !self.to_client.is_empty() {
            match rustix::net::send(client, &self.to_client, rustix::net::SendFlags::NOSIGNAL) {
                Ok(length) => drop(self.to_client.drain(..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return false,
            }
        }
        true
    }
}
