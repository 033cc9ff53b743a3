//! Reading a log: the last lines that match, and those to come.
//!
//! A reader keeps no lines in memory: it has a place in the segments and is woken when they grow.
//! One that is too slow is moved ahead and told how much it missed (L11).

use crate::app::{AppLog, Command};
use crate::record::{Record, Stored};
use crate::segment::{self, SegmentReader};
use crate::{Error, LineId};
use domain::{LogLine, LogQuery};
use jiff::Timestamp;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Lines that are read ahead of the reader.
const BATCH_LINES: usize = 256;

/// Which lines somebody wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// So many of the newest lines that match, oldest first. Not used when `after` is given.
    pub lines: usize,
    /// All lines after this one, as far as they are kept.
    pub after: Option<LineId>,
    /// Go on with lines to come.
    pub follow: bool,
    /// Only what this process says: a dyno's name (`web.1`), or a word that stands for all that
    /// begin with it and a dot (`web`).
    pub process: Option<String>,
    /// As `process`; both must match if both are given.
    pub process_type: Option<String>,
    /// Only `app` or only `heroku`. Another word matches nothing.
    pub source: Option<String>,
    /// Only what somebody looks for.
    pub search: Option<LogQuery>,
    /// Nothing older, and nothing from then on.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Query {
    /// Whether a line is wanted, by its filters.
    pub fn matches(&self, line: &LogLine) -> bool {
        let named = |wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| {
                line.process
                    .strip_prefix(wanted)
                    .is_some_and(|rest| rest.is_empty() || (rest.starts_with('.') && !wanted.contains('.')))
            })
        };
        named(&self.process)
            && named(&self.process_type)
            && self.source.as_deref().is_none_or(|source| source == line.source.as_str())
            && self.since.is_none_or(|since| line.time >= since)
            && self.until.is_none_or(|until| line.time < until)
            && self.search.as_ref().is_none_or(|search| search.matches(line))
    }
}

/// A line and its id, by which a reader can come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailLine {
    pub id: LineId,
    pub line: LogLine,
}

/// Lines as they come; ends after the last one, or with the log. See [`crate::Logs::tail`].
pub type Tail = tokio_stream::wrappers::ReceiverStream<Result<TailLine, Error>>;

pub(crate) fn start(app: Arc<AppLog>, query: Query, lag: u64) -> Tail {
    let (sender, receiver) = mpsc::channel(BATCH_LINES);
    tokio::spawn(async move {
        if let Err(error) = run(app, query, lag, &sender).await {
            let _ = sender.send(Err(error)).await;
        }
    });
    Tail::new(receiver)
}

async fn run(
    app: Arc<AppLog>,
    query: Query,
    lag: u64,
    sender: &mpsc::Sender<Result<TailLine, Error>>,
) -> Result<(), Error> {
    let (done, written) = oneshot::channel();
    if app.commands.send(Command::Barrier(done)).await.is_err() {
        return Ok(());
    }
    let _ = written.await;
    let mut head = app.head.clone();
    let dir = app.dir.clone();
    // Who does not follow wants what there is now, and not to race with an app that prints a lot.
    // The head is 0 until something is written, and then all that there is is older.
    let end = Some(*head.borrow()).filter(|head| *head > 0 && !query.follow).map(LineId);
    // Only the head is needed from here on: a reader must not keep a removed app's task alive.
    drop(app);
    let mut cursor = blocking(move || Cursor::open(dir, query, end)).await?;
    let mut live = false;
    loop {
        head.mark_unchanged();
        let newest = *head.borrow();
        if live && newest > cursor.next.0 + lag {
            let missed = cursor.skip_to(LineId(newest));
            let now = Timestamp::now();
            let message = format!(
                "Error L11 (Tail buffer overflow) -> This tail session dropped {missed} messages since {}.",
                cursor.reached.unwrap_or(now)
            );
            let line = LogLine::heroku(now, "logplex", message);
            if sender.send(Ok(TailLine { id: LineId(newest - 1), line })).await.is_err() {
                return Ok(());
            }
        }
        let (back, lines, end) = blocking(move || {
            let mut cursor = cursor;
            let (lines, end) = cursor.read(BATCH_LINES)?;
            Ok((cursor, lines, end))
        })
        .await?;
        cursor = back;
        for line in lines {
            if sender.send(Ok(line)).await.is_err() {
                return Ok(());
            }
        }
        if !end {
            continue;
        }
        if !cursor.query.follow {
            return Ok(());
        }
        live = true;
        tokio::select! {
            changed = head.changed() => if changed.is_err() {
                return Ok(());
            },
            () = sender.closed() => return Ok(()),
        }
    }
}

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The first of the lines that match.
    pub lines: Vec<TailLine>,
    /// How many match.
    pub count: u64,
    /// The last line that was looked at; none that comes later has a lower id.
    pub last: LineId,
}

/// Looks through all lines behind `query.after`, up to `until` or to those that are there now.
pub(crate) async fn search(
    app: Arc<AppLog>,
    query: Query,
    until: Option<LineId>,
    limit: usize,
) -> Result<Found, Error> {
    let (reply, head) = oneshot::channel();
    app.commands.send(Command::Head(reply)).await.map_err(|_| Error::Removed)?;
    let head = head.await.unwrap_or(Err(Error::Removed))?;
    let end = until.map_or(head, |until| until.min(head));
    let dir = app.dir.clone();
    blocking(move || {
        let after = query.after.unwrap_or_default();
        let mut cursor = Cursor::open(dir, Query { after: Some(after), follow: false, ..query }, Some(end))?;
        let mut found = Found::default();
        loop {
            let (lines, ended) = cursor.read(BATCH_LINES)?;
            found.count += lines.len() as u64;
            let room = limit.saturating_sub(found.lines.len());
            found.lines.extend(lines.into_iter().take(room));
            if ended {
                found.last = end.max(after);
                return Ok(found);
            }
        }
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(Error::Read)
}

/// A place in an app's segments.
struct Cursor {
    dir: PathBuf,
    query: Query,
    /// The first line that was not looked at yet.
    next: LineId,
    /// The last line that is to be looked at.
    end: Option<LineId>,
    /// When the last line that was looked at was written.
    reached: Option<Timestamp>,
    /// The segment being read; `None` before the first and after a jump.
    open: Option<(u64, SegmentReader)>,
}

impl Cursor {
    fn open(dir: PathBuf, query: Query, end: Option<LineId>) -> io::Result<Self> {
        let next = match query.after {
            Some(LineId(after)) => LineId(after.saturating_add(1)),
            None => newest_matching(&dir, &query, end)?,
        };
        Ok(Self { dir, query, next, end, reached: None, open: None })
    }

    /// Goes on at `id`; tells how many lines that leaves out.
    fn skip_to(&mut self, id: LineId) -> u64 {
        let missed = id.0.saturating_sub(self.next.0);
        self.next = id;
        self.open = None;
        missed
    }

    /// Up to `limit` matching lines, and whether the end of what is there was reached.
    fn read(&mut self, limit: usize) -> io::Result<(Vec<TailLine>, bool)> {
        let mut lines = Vec::new();
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
                self.look_at(record, &mut lines);
                lines.len() < limit && !self.has_ended()
            })?;
            if lines.len() >= limit {
                self.open = Some((current, reader));
                return Ok((lines, false));
            }
            let Some(successor) = successor else {
                self.open = Some((current, reader));
                return Ok((lines, true));
            };
            // Damage in the middle, if any, ends this segment only.
            self.next = self.next.max(LineId(successor));
            self.open = None;
        }
    }

    /// Whether the last line that is wanted was looked at.
    fn has_ended(&self) -> bool {
        self.end.is_some_and(|end| self.next > end)
    }

    fn look_at(&mut self, record: Record, lines: &mut Vec<TailLine>) {
        if let Record::Line(Stored { id, line, .. }) = record
            && id >= self.next
        {
            self.next = LineId(id.0 + 1);
            self.reached = Some(line.time);
            if self.query.matches(&line) {
                lines.push(TailLine { id, line });
            }
        }
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
                Ok(reader) => return Ok(Some((first, reader))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_by_process_and_source() {
        let line = |source: &str, process: &str| match source {
            "app" => LogLine::app(Timestamp::UNIX_EPOCH, process, ""),
            _ => LogLine::heroku(Timestamp::UNIX_EPOCH, process, ""),
        };
        for (process, process_type, source, given, expected) in [
            (None, None, None, ("app", "web.1"), true),
            (Some("web"), None, None, ("app", "web.1"), true),
            (Some("web"), None, None, ("app", "webhook.1"), false),
            (Some("web.1"), None, None, ("app", "web.1"), true),
            (Some("web.1"), None, None, ("app", "web.12"), false),
            (Some("web.1"), None, None, ("app", "web.1.2"), false),
            (Some("router"), None, None, ("heroku", "router"), true),
            (None, Some("worker"), None, ("app", "worker.3"), true),
            (Some("worker.2"), Some("worker"), None, ("app", "worker.3"), false),
            (None, None, Some("app"), ("heroku", "web.1"), false),
            (Some("web"), None, Some("heroku"), ("heroku", "web.1"), true),
            (None, None, Some("nonsense"), ("heroku", "web.1"), false),
        ] {
            let query = Query {
                process: process.map(str::to_owned),
                process_type: process_type.map(str::to_owned),
                source: source.map(str::to_owned),
                ..Query::default()
            };
            assert_eq!(query.matches(&line(given.0, given.1)), expected, "{query:?} {given:?}");
        }
    }
}
