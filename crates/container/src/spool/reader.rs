//! The server's side of a spool.

use super::{HEADER, Header, KIND_LINE, segment_path, segments};
use bytes::Bytes;
use engine::{OutputContent, OutputLine};
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// Reads lines in order, each once, while the shim may still be writing.
pub struct SpoolReader {
    directory: PathBuf,
    /// Sequence of the last line that was given out or asked to be skipped.
    last: u64,
    segment: Option<Segment>,
}

struct Segment {
    first: u64,
    file: File,
    /// Bytes read from the file; those before `position` are done with.
    buffer: Vec<u8>,
    position: usize,
}

const READ: usize = 64 << 10;

impl SpoolReader {
    /// A reader that gives out the lines after sequence `after`; 0 for all that are there.
    pub fn new(directory: PathBuf, after: u64) -> Self {
        Self { directory, last: after, segment: None }
    }

    /// Sequence of the last line that was given out, or where the reader was told to start.
    pub fn position(&self) -> u64 {
        self.last
    }

    /// The next line; `None` when nothing more is there yet. Lines that were acknowledged and
    /// freed are skipped silently.
    pub fn next_line(&mut self) -> io::Result<Option<OutputLine>> {
        loop {
            let Some(segment) = &mut self.segment else {
                match self.find_segment()? {
                    Some(segment) => self.segment = Some(segment),
                    None => return Ok(None),
                }
                continue;
            };
            match segment.next_record()? {
                Some((header, _)) if header.sequence <= self.last => {}
                Some((header, content)) => {
                    self.last = header.sequence;
                    return Ok(Some(line(&header, content)));
                }
                None => {
                    let current = segment.first;
                    if !segments(&self.directory)?.into_iter().any(|first| first > current) {
                        return Ok(None);
                    }
                    // The writer was done with this segment before it began the next one, but it
                    // may have written between our last read and now.
                    if let Some((header, content)) = segment.next_record()? {
                        if header.sequence > self.last {
                            self.last = header.sequence;
                            return Ok(Some(line(&header, content)));
                        }
                        continue;
                    }
                    self.segment = self.open_after(current)?;
                }
            }
        }
    }

    /// The segment in which the line after `self.last` is, or else the first behind it.
    fn find_segment(&self) -> io::Result<Option<Segment>> {
        let firsts = match segments(&self.directory) {
            Ok(firsts) => firsts,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let holding = firsts.iter().rev().find(|first| **first <= self.last + 1);
        match holding.or(firsts.first()) {
            Some(first) => self.open(*first),
            None => Ok(None),
        }
    }

    fn open_after(&self, current: u64) -> io::Result<Option<Segment>> {
        match segments(&self.directory)?.into_iter().find(|first| *first > current) {
            Some(first) => self.open(first),
            None => Ok(None),
        }
    }

    fn open(&self, first: u64) -> io::Result<Option<Segment>> {
        match File::open(segment_path(&self.directory, first)) {
            Ok(file) => Ok(Some(Segment { first, file, buffer: Vec::new(), position: 0 })),
            // Acknowledged and freed a moment ago: the caller looks again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Segment {
    /// The next whole record.
    fn next_record(&mut self) -> io::Result<Option<(Header, Bytes)>> {
        loop {
            let rest = &self.buffer[self.position..];
            let wanted = match rest.first_chunk::<HEADER>() {
                None => HEADER,
                Some(bytes) => {
                    // What is no header was never written whole (the machine went down): the end.
                    let Some(header) = Header::read(bytes) else { return Ok(None) };
                    let end = HEADER + header.length;
                    if let Some(content) = rest.get(HEADER..end) {
                        let content = Bytes::copy_from_slice(content);
                        self.position += end;
                        return Ok(Some((header, content)));
                    }
                    end
                }
            };
            if !self.fill(wanted)? {
                return Ok(None);
            }
        }
    }

    /// Reads on until `wanted` unread bytes are there; false at the end of the file.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        self.buffer.drain(..self.position);
        self.position = 0;
        while self.buffer.len() < wanted {
            if self.file.by_ref().take(READ as u64).read_to_end(&mut self.buffer)? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn line(header: &Header, content: Bytes) -> OutputLine {
    let content = if header.kind == KIND_LINE {
        OutputContent::Line(content)
    } else {
        let mut count = [0; 8];
        count.copy_from_slice(&content[..8]);
        OutputContent::Dropped(u64::from_le_bytes(count))
    };
    OutputLine {
        sequence: header.sequence,
        // Out of range only in a damaged file; the line itself is worth having.
        time: Timestamp::from_microsecond(header.time).unwrap_or_default(),
        content,
    }
}
