//! Those who talk to the shim.

use crate::protocol::{Event, MAX_REQUEST, Refusal, Reply, Request};
use rustix::event::PollFlags;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

/// More than anybody needs: the server has a few per container.
const MOST: usize = 32;

/// One client.
pub(super) struct Connection {
    pub stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    subscribed: bool,
    /// An event is due; true if it is about the state.
    owed: Option<bool>,
    ended: bool,
}

impl Connection {
    /// Reads what has come.
    pub(super) fn fill(&mut self) {
        let mut buffer = [0; MAX_REQUEST];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(length) => {
                    self.input.extend_from_slice(&buffer[..length]);
                    if self.input.len() < MAX_REQUEST {
                        continue;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.ended = true,
            }
            return;
        }
    }

    /// The next whole request that was read.
    pub(super) fn next_request(&mut self) -> Option<Result<Request, Refusal>> {
        let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
            if self.input.len() >= MAX_REQUEST {
                self.input.clear();
                self.ended = true;
                return Some(Err(Refusal::Malformed("the request is too long".into())));
            }
            return None;
        };
        let line: Vec<u8> = self.input.drain(..=end).collect();
        Some(serde_json::from_slice(&line).map_err(|error| Refusal::Malformed(error.to_string())))
    }

    /// Answers. What the client does not take now waits.
    pub(super) fn reply(&mut self, reply: &Reply) {
        match serde_json::to_vec(reply) {
            Ok(bytes) => {
                self.output.extend_from_slice(&bytes);
                self.output.push(b'\n');
            }
            Err(_) => self.ended = true,
        }
        self.drain();
    }

    pub(super) fn subscribe(&mut self) {
        self.subscribed = true;
    }

    /// Sends what waits, as far as the client takes it.
    pub(super) fn drain(&mut self) {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    /// The stream, and what was read beyond the requests.
    pub(super) fn into_client(self) -> (UnixStream, Vec<u8>) {
        (self.stream, self.input)
    }

    pub(super) fn interest(&self) -> PollFlags {
        if self.output.is_empty() && self.owed.is_none() {
            PollFlags::IN
        } else {
            PollFlags::IN | PollFlags::OUT
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Connections(pub Vec<Connection>);

impl Connections {
    /// Takes in whoever waits at the door.
    pub(super) fn accept(&mut self, listener: &UnixListener) {
        while let Ok((stream, _)) = listener.accept() {
            if self.0.len() < MOST && stream.set_nonblocking(true).is_ok() {
                let (input, output) = (Vec::new(), Vec::new());
                self.0.push(Connection {
                    stream,
                    input,
                    output,
                    subscribed: false,
                    owed: None,
                    ended: false,
                });
            }
        }
    }

    /// Tells subscribers that something changed. One who still has not read the last such line
    /// will be told once, later.
    pub(super) fn notify(&mut self, state: bool, last_sequence: u64) {
        for connection in self.0.iter_mut().filter(|connection| connection.subscribed) {
            connection.owed = Some(connection.owed.unwrap_or(false) | state);
        }
        self.send_events(last_sequence);
    }

    /// Sends the events that are due to those who can take them.
    pub(super) fn send_events(&mut self, last_sequence: u64) {
        for connection in &mut self.0 {
            connection.drain();
            if connection.output.is_empty()
                && let Some(state) = connection.owed.take()
            {
                connection.reply(&Reply::Event(Event { state, last_sequence }));
            }
        }
    }

    /// Forgets those who are gone.
    pub(super) fn sweep(&mut self) {
        self.0.retain(|connection| !connection.ended);
    }
}
