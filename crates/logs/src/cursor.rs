//! A place in an app's segments, from which lines are read. Synchronous, for threads that may block.

use crate::record::{Record, Stored};
use crate::segment::{self, SegmentReader};
use crate::tail::{Query, TailLine};
use crate::writer::ID_GAP;
use crate::{Error, LineId};
use jiff::Timestamp;
use std::io;
use std::path::PathBuf;

/// What a line takes beside its message, wherever it goes, about.
const OVERHEAD: usize = 80;

/// Runs what reads files where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(Error::Read)
}

/// A place in an app's segments.
pub(crate) struct Cursor {
    dir: PathBuf,
    pub(crate) query: Query,
    /// The first line that was not looked at yet.
    pub(crate) next: LineId,
    /// The last line that is to be looked at.
    end: Option<LineId>,
    /// When the last line that was looked at was written.
    pub(crate) reached: Option<Timestamp>,
    /// Lines that were dropped with their segments before they were looked at, since this was last taken.
    pub(crate) missed: u64,
    /// The segment being read; `None` before the first and after a jump.
    open: Option<(u64, SegmentReader)>,
}

impl Cursor {
    /// Begins behind `query.after`, or with the newest lines that match.
    pub(crate) fn open(dir: PathBuf, query: Query, end: Option<LineId>) -> io::Result<Self> {
        let next = match query.after {
            Some(LineId(after)) => LineId(after.saturating_add(1)),
            None => newest_matching(&dir, &query, end)?,
        };
        Ok(Self { dir, query, next, end, reached: None, missed: 0, open: None })
    }

    /// The last line that was looked at.
    pub(crate) fn place(&self) -> LineId {
        LineId(self.next.0.saturating_sub(1))
    }

    /// Goes on at `id`; tells how many lines that leaves out.
    pub(crate) fn skip_to(&mut self, id: LineId) -> u64 {
        let missed = id.0.saturating_sub(self.next.0);
        self.next = id;
        self.open = None;
        missed
    }

    /// Matching lines, and whether the end of what is there was reached: up to `limit`, and none more once
    /// they have so many bytes.
    pub(crate) fn read(&mut self, limit: usize, bytes: usize) -> io::Result<(Vec<TailLine>, bool)> {
        let mut lines = Vec::new();
        let mut length = 0;
        loop {
            if self.has_ended() {
                return Ok((lines, true));
            }
            let Some((current, mut reader)) = self.take_reader()? else {
                return Ok((lines, true));
            };
            // Looked up before reading: a segment with a successor does not grow any more.
            let successor = segment::list(&self.dir)?.into_iter().find(|first| *first > current);
            reader.read(|record| {
                length += self.look_at(record, &mut lines);
                lines.len() < limit && length < bytes && !self.has_ended()
            })?;
            if lines.len() >= limit || length >= bytes {
                self.open = Some((current, reader));
                return Ok((lines, false));
            }
            let Some(successor) = successor else {
                self.open = Some((current, reader));
                return Ok((lines, true));
            };
            // Damage in the middle, if any, ends this segment only.
            self.pass_to(successor);
            self.open = None;
        }
    }

    /// Whether the last line that is wanted was looked at.
    fn has_ended(&self) -> bool {
        self.end.is_some_and(|end| self.next > end)
    }

    /// Takes the line if it is wanted, and tells its bytes.
    fn look_at(&mut self, record: Record, lines: &mut Vec<TailLine>) -> usize {
        if let Record::Line(Stored { id, line, .. }) = record
            && id >= self.next
        {
            self.next = LineId(id.0 + 1);
            self.reached = Some(line.time);
            // Where all that is wanted was dropped, what is there begins behind it.
            let is_within = self.end.is_none_or(|end| id <= end);
            if is_within && self.query.matches(&line) {
                let length = line.message.len() + OVERHEAD;
                lines.push(TailLine { id, line });
                return length;
            }
        }
        0
    }

    /// Goes on with a segment. Of what lies between nothing is left.
    fn pass_to(&mut self, first: u64) {
        // A gap that a writer left is none that lines were in.
        self.missed += first.saturating_sub(self.next.0) % ID_GAP;
        self.next = self.next.max(LineId(first));
    }

    fn take_reader(&mut self) -> io::Result<Option<(u64, SegmentReader)>> {
        if let Some(open) = self.open.take() {
            return Ok(Some(open));
        }
        // A segment can go between the listing and the opening; the next one is it then.
        loop {
            let Some(first) = segment::holding(&segment::list(&self.dir)?, self.next) else {
                return Ok(None);
            };
            match SegmentReader::open(&self.dir, first) {
                Ok(reader) => {
                    self.pass_to(first);
                    return Ok(Some((first, reader)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Where the newest `query.lines` matching lines up to `limit` begin.
fn newest_matching(dir: &std::path::Path, query: &Query, limit: Option<LineId>) -> io::Result<LineId> {
    let segments = segment::list(dir)?;
    let mut missing = query.lines;
    let mut end = None;
    let mut start = None;
    for first in segments.iter().rev() {
        if missing == 0 && end.is_some() {
            break;
        }
        let mut ids = std::collections::VecDeque::new();
        let mut last = first.saturating_sub(1);
        let mut oldest = None;
        let mut reader = match SegmentReader::open(dir, *first) {
            Ok(reader) => reader,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        reader.read(|record| {
            if let Record::Line(stored) = record {
                if limit.is_some_and(|limit| stored.id > limit) {
                    return false;
                }
                last = stored.id.0;
                oldest.get_or_insert(stored.line.time);
                if missing > 0 && query.matches(&stored.line) {
                    if ids.len() == missing {
                        ids.pop_front();
                    }
                    ids.push_back(stored.id);
                }
            }
            true
        })?;
        end.get_or_insert(LineId(last + 1));
        missing -= ids.len();
        start = ids.front().copied().or(start);
        // Times go up but for a little; what is an hour older than wanted has nothing before it that is.
        let hour = jiff::SignedDuration::from_hours(1);
        if let (Some(since), Some(oldest)) = (query.since, oldest)
            && since.duration_since(oldest) > hour
        {
            break;
        }
    }
    Ok(start.or(end).unwrap_or(LineId(1)))
}
