//! What a container printed, on disk between the shim, which writes, and the server, which reads,
//! keeps the lines elsewhere and acknowledges them.
//!
//! A spool is a directory of segments, each named by the sequence of its first record. A segment
//! is deleted when all of it is acknowledged. Whoever reads needs no help from the shim, so that
//! the output of a container outlives both; nothing here blocks a container: a full spool or disk
//! drops lines, counts them and says so in their place.
//!
//! A record is, in little-endian: length of the content (4 bytes), kind (1), sequence (8), time in
//! microseconds since 1970 (8), content.

mod reader;
mod writer;

pub use reader::SpoolReader;
pub use writer::Spool;

use jiff::Timestamp;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Longest line in bytes; Heroku cuts longer ones too ("L" limits of logplex: 10,000 bytes).
pub const MAX_LINE: usize = 10_000;

/// Unacknowledged bytes kept when nothing else is said.
pub const DEFAULT_LIMIT: u64 = 16 << 20;

const HEADER: usize = 4 + 1 + 8 + 8;
const KIND_LINE: u8 = 1;
const KIND_DROPPED: u8 = 2;

struct Header {
    length: usize,
    kind: u8,
    sequence: u64,
    time: i64,
}

impl Header {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.length as u32).to_le_bytes());
        out.push(self.kind);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.time.to_le_bytes());
    }

    /// `None` when these bytes are no header: then what follows was never written whole.
    fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let [l0, l1, l2, l3, kind, rest @ ..] = *bytes;
        let [s0, s1, s2, s3, s4, s5, s6, s7, time @ ..] = rest;
        let header = Self {
            length: u32::from_le_bytes([l0, l1, l2, l3]) as usize,
            kind,
            sequence: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            time: i64::from_le_bytes(time),
        };
        let fits = match kind {
            KIND_LINE => header.length <= MAX_LINE,
            KIND_DROPPED => header.length == 8,
            _ => false,
        };
        fits.then_some(header)
    }
}

fn segment_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.seg"))
}

/// First sequences of the segments in `directory`, ascending.
fn segments(directory: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let first = name
            .to_str()
            .and_then(|name| name.strip_suffix(".seg"))
            .and_then(|name| name.parse::<u64>().ok());
        found.extend(first);
    }
    found.sort_unstable();
    Ok(found)
}

fn microseconds(time: Timestamp) -> i64 {
    time.as_microsecond()
}

#[cfg(test)]
mod tests;
