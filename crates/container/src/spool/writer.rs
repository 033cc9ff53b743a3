//! The shim's side of a spool.

use super::{HEADER, Header, KIND_DROPPED, KIND_LINE, MAX_LINE, microseconds, segment_path};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

/// Appends lines and forgets acknowledged ones.
pub struct Spool {
    directory: PathBuf,
    limit: u64,
    segment_size: u64,
    segments: VecDeque<Segment>,
    /// The last of `segments`, open for appending.
    current: Option<File>,
    /// Sequence of the newest record that is in a segment.
    written: u64,
    batch: Batch,
    /// Lines lost since the last record, and when the first of them came.
    dropped: Option<(u64, Timestamp)>,
}

struct Segment {
    first: u64,
    last: u64,
    bytes: u64,
}

/// Records that are not in a segment yet.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    records: u64,
    /// How many lines would be lost with it, those counted in its notes included.
    lines: u64,
    /// The time of its first record.
    since: Option<Timestamp>,
}

/// A batch is written when it has grown to this; also at every [`Spool::flush`].
const BATCH: usize = 64 << 10;

impl Spool {
    /// An empty spool in `directory`, which is made. `limit` bounds the bytes that wait for
    /// acknowledgement; a note of dropped lines may exceed it by its own few bytes.
    pub fn create(directory: PathBuf, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self {
            directory,
            limit,
            segment_size: (limit / 16).clamp(1 << 10, 1 << 20),
            segments: VecDeque::new(),
            current: None,
            written: 0,
            batch: Batch::default(),
            dropped: None,
        })
    }

    /// Sequence of the newest record that readers can see.
    pub fn last_sequence(&self) -> u64 {
        self.written
    }

    /// Appends one line of at most [`MAX_LINE`] bytes; a longer one loses its end.
    pub fn push(&mut self, line: &[u8], time: Timestamp) {
        let line = &line[..line.len().min(MAX_LINE)];
        let note = if self.dropped.is_some() { HEADER + 8 } else { 0 };
        if self.bytes() + (HEADER + line.len() + note) as u64 > self.limit {
            self.drop_lines(1, time);
            return;
        }
        self.note_dropped();
        self.record(KIND_LINE, line, 1, time);
        if self.batch.bytes.len() >= BATCH {
            self.flush();
        }
    }

    /// Makes everything pushed visible to readers. A disk that takes no more turns the lines into
    /// dropped ones.
    pub fn flush(&mut self) {
        if self.batch.records == 0 {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        match self.append(&batch) {
            Ok(()) => self.written += batch.records,
            // Nobody has seen these sequences: they are given out again.
            Err(_) => self.drop_lines(batch.lines, batch.since.unwrap_or_default()),
        }
        batch.bytes.clear();
        self.batch = Batch { bytes: batch.bytes, ..Batch::default() };
    }

    /// Writes what is still held back, with a note of dropped lines if there are any.
    pub fn finish(&mut self) {
        self.flush();
        self.note_dropped();
        self.flush();
    }

    /// Frees the segments whose records all have sequences up to `sequence`. If that makes room
    /// after lines were dropped, a note of them waits for the next [`Spool::flush`].
    pub fn acknowledge(&mut self, sequence: u64) {
        self.free(sequence);
        if self.bytes() < self.limit {
            self.note_dropped();
        }
    }

    fn free(&mut self, sequence: u64) {
        while let Some(front) = self.segments.front() {
            let current = self.segments.len() == 1;
            // The current segment is worth a new file only when it has some size.
            if front.last > sequence || (current && front.bytes < self.segment_size / 2) {
                return;
            }
            // A file that stays behind costs space, nothing else.
            let _ = fs::remove_file(segment_path(&self.directory, front.first));
            self.segments.pop_front();
            if current {
                self.current = None;
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum::<u64>() + self.batch.bytes.len() as u64
    }

    fn drop_lines(&mut self, count: u64, time: Timestamp) {
        let (before, since) = self.dropped.unwrap_or((0, time));
        self.dropped = Some((before + count, since));
    }

    fn note_dropped(&mut self) {
        if let Some((count, since)) = self.dropped.take() {
            self.record(KIND_DROPPED, &count.to_le_bytes(), count, since);
        }
    }

    fn record(&mut self, kind: u8, content: &[u8], lines: u64, time: Timestamp) {
        let sequence = self.written + self.batch.records + 1;
        let header = Header { length: content.len(), kind, sequence, time: microseconds(time) };
        header.write(&mut self.batch.bytes);
        self.batch.bytes.extend_from_slice(content);
        self.batch.records += 1;
        self.batch.lines += lines;
        self.batch.since.get_or_insert(time);
    }

    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let full = self.segments.back().is_none_or(|segment| segment.bytes >= self.segment_size);
        if full || self.current.is_none() {
            let first = self.written + 1;
            let file =
                File::options().create(true).append(true).open(segment_path(&self.directory, first))?;
            // An earlier attempt at this segment may have failed half-way.
            file.set_len(0)?;
            self.current = Some(file);
            if self.segments.back().is_none_or(|segment| segment.first != first) {
                self.segments.push_back(Segment { first, last: first - 1, bytes: 0 });
            }
        }
        let (Some(file), Some(segment)) = (&mut self.current, self.segments.back_mut()) else {
            return Ok(());
        };
        if let Err(error) = file.write_all(&batch.bytes) {
            // Part of it may be there: cut it off, or readers would stop at the torn record. If
            // not even that works, a new segment follows; readers skip the torn end of this one.
            if file.set_len(segment.bytes).is_err() {
                self.current = None;
            }
            return Err(error);
        }
        segment.bytes += batch.bytes.len() as u64;
        segment.last = self.written + batch.records;
        Ok(())
    }
}
