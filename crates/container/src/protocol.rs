//! What is said on a shim's socket: one JSON value a line.
//!
//! A client sends requests and gets one [`Reply`] for each, in order. After a granted
//! [`Request::Subscribe`] the shim also sends [`Reply::Event`] lines; after a granted
//! [`Request::Attach`] the connection is a raw byte stream both ways.

use serde::{Deserialize, Serialize};

/// Longest request line that a shim accepts.
pub const MAX_REQUEST: usize = 4096;

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Send an event line whenever something changes. Changes that come while an earlier line is
    /// still unread are told as one.
    Subscribe,
    /// SIGTERM to every process inside, SIGKILL after the grace period.
    Stop { grace_milliseconds: u64 },
    /// A signal to every process inside.
    Signal { number: i32 },
    /// Become the one client of a container with a terminal.
    Attach,
    /// New size of the terminal.
    Resize { columns: u16, rows: u16 },
    /// Output up to here is kept elsewhere.
    Acknowledge { sequence: u64 },
}

/// What a shim says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Done,
    Refused(Refusal),
    Event(Event),
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There is no terminal, or its client is or was already there.
    NotAttachable,
    /// The line was not a request.
    Malformed(String),
    /// It was tried and failed.
    Failed(String),
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `state.json` or `exit.json` was written since the last event.
    pub state: bool,
    /// Sequence of the newest line in the spool.
    pub last_sequence: u64,
}
