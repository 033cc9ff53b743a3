//! Reading a log: the last lines that match, and those to come.
//!
//! A reader keeps no lines in memory: it has a place in the segments and is woken when they grow.
//! One that is too slow is moved ahead and told how much it missed (L11).

use crate::app::{AppLog, Command};
use crate::cursor::{Cursor, blocking};
use crate::{Error, LineId};
use domain::{LogLine, LogQuery};
use jiff::Timestamp;
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
            let (lines, end) = cursor.read(BATCH_LINES, usize::MAX)?;
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
            let (lines, ended) = cursor.read(BATCH_LINES, usize::MAX)?;
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
