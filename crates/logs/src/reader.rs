//! Reading a log piece by piece, for somebody who takes their time and comes back after a restart.
//!
//! A reader holds no lines: what it has not asked for yet is in the segments, and what is dropped with them
//! before it was read is counted.

use crate::app::{AppLog, Command};
use crate::cursor::{Cursor, blocking};
use crate::tail::{Query, TailLine};
use crate::{Error, LineId};
use jiff::Timestamp;
use std::io;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind a line.
    After(LineId),
    /// With the first line that is not older.
    Since(Timestamp),
}

/// A piece of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portion {
    /// In order.
    pub lines: Vec<TailLine>,
    /// Behind this the next piece begins.
    pub last: LineId,
    /// Lines that were dropped before they could be read, before or among these.
    pub missed: u64,
    /// Nothing more is there for now.
    pub end: bool,
}

/// Reads one app's log. See [`crate::Logs::reader`].
pub struct Reader {
    head: watch::Receiver<u64>,
    /// Away while a blocking thread works on it.
    cursor: Option<Cursor>,
}

pub(crate) async fn open(app: Arc<AppLog>, start: Start) -> Result<Reader, Error> {
    let (reply, last) = oneshot::channel();
    app.commands.send(Command::Head(reply)).await.map_err(|_| Error::Removed)?;
    let last = last.await.unwrap_or(Err(Error::Removed))?;
    let (head, dir) = (app.head.clone(), app.dir.clone());
    // A reader must not keep a removed app's task alive.
    drop(app);
    let query = match start {
        // A machine that lost its power may have lost lines that somebody has read already.
        Start::After(after) => Query { after: Some(after.min(last)), ..Query::default() },
        Start::Since(since) => Query { lines: usize::MAX, since: Some(since), ..Query::default() },
    };
    let cursor = blocking(move || {
        let mut cursor = Cursor::open(dir, query, None)?;
        cursor.query = Query::default();
        Ok(cursor)
    });
    Ok(Reader { head, cursor: Some(cursor.await?) })
}

impl Reader {
    /// Behind which line it is.
    pub fn place(&self) -> LineId {
        self.cursor.as_ref().map(Cursor::place).unwrap_or_default()
    }

    /// The next piece: up to so many lines, and none more once they have so many bytes with what goes with
    /// them. Never waits for lines to come. A reader whose reading was cut off is not used again.
    pub async fn read(&mut self, lines: usize, bytes: usize) -> Result<Portion, Error> {
        let cut_off = || Error::Read(io::Error::other("an earlier reading was cut off"));
        let mut cursor = self.cursor.take().ok_or_else(cut_off)?;
        self.head.mark_unchanged();
        let (cursor, read) = blocking(move || {
            let read = cursor.read(lines, bytes);
            Ok((cursor, read))
        })
        .await?;
        let cursor = self.cursor.insert(cursor);
        let (lines, end) = read.map_err(Error::Read)?;
        Ok(Portion { lines, last: cursor.place(), missed: std::mem::take(&mut cursor.missed), end })
    }

    /// Returns once there may be more than the last [`Reader::read`] found.
    pub async fn grown(&mut self) -> Result<(), Error> {
        self.head.changed().await.map_err(|_| Error::Removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Logs};
    use domain::{AppId, LogLine};
    use tempfile::TempDir;

    fn logs() -> (TempDir, Logs) {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { segment_bytes: 400, app_bytes: 4000, ..Config::new(dir.path()) };
        let logs = Logs::open(config).unwrap();
        (dir, logs)
    }

    async fn print(logs: &Logs, app: AppId, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            let time = Timestamp::from_second(number as i64).unwrap();
            logs.append(app, LogLine::app(time, "web.1", number.to_string()));
            // One by one, so that segments end where they are full.
            logs.head(app).await.unwrap();
        }
    }

    fn texts(portion: &Portion) -> Vec<String> {
        let text = |line: &TailLine| String::from_utf8_lossy(&line.line.message).into_owned();
        portion.lines.iter().map(text).collect()
    }

    #[tokio::test]
    async fn a_reader_takes_what_it_wants_and_comes_back_to_where_it_was() {
        let (_dir, logs) = logs();
        let app = AppId::new();
        print(&logs, app, 1..=20).await;
        let mut reader = logs.reader(app, Start::Since(Timestamp::from_second(4).unwrap())).await.unwrap();
        assert_eq!(reader.place(), LineId(3));
        let first = reader.read(3, usize::MAX).await.unwrap();
        assert_eq!(
            (texts(&first), first.last, first.end),
            (vec!["4".into(), "5".into(), "6".into()], LineId(6), false)
        );
        let by_size = reader.read(100, 100).await.unwrap();
        assert_eq!((texts(&by_size), by_size.end), (vec!["7".into(), "8".into()], false));
        let mut again = logs.reader(app, Start::After(first.last)).await.unwrap();
        let rest = again.read(100, usize::MAX).await.unwrap();
        assert_eq!((rest.lines.len(), rest.last, rest.missed, rest.end), (14, LineId(20), 0, true));
        let nothing = again.read(100, usize::MAX).await.unwrap();
        assert_eq!(nothing, Portion { last: LineId(20), end: true, ..Portion::default() });
        print(&logs, app, 21..=21).await;
        again.grown().await.unwrap();
        assert_eq!(texts(&again.read(100, usize::MAX).await.unwrap()), ["21"]);
        logs.remove(app).await.unwrap();
        assert!(matches!(again.grown().await, Err(Error::Removed)));
        assert!(matches!(logs.reader(app, Start::After(LineId(1))).await, Err(Error::Removed)));
    }

    #[tokio::test]
    async fn who_is_too_late_is_told_how_much_is_gone() {
        let (_dir, logs) = logs();
        let app = AppId::new();
        print(&logs, app, 1..=5).await;
        let mut early = logs.reader(app, Start::After(LineId(0))).await.unwrap();
        let mut read = early.read(2, usize::MAX).await.unwrap().lines.len() as u64;
        print(&logs, app, 6..=500).await;
        let mut missed = 0;
        let last = loop {
            let portion = early.read(10, usize::MAX).await.unwrap();
            (read, missed) = (read + portion.lines.len() as u64, missed + portion.missed);
            if portion.end {
                break portion.last;
            }
        };
        assert_eq!((read + missed, last), (500, LineId(500)));
        assert!(missed > 300, "{missed}");
        let late = logs.reader(app, Start::After(LineId(0))).await.unwrap().read(1, 1).await.unwrap();
        assert_eq!(late.missed + 1, late.lines[0].id.0);
    }

    #[tokio::test]
    async fn a_place_behind_the_end_is_the_end() {
        let (_dir, logs) = logs();
        let app = AppId::new();
        print(&logs, app, 1..=5).await;
        let mut reader = logs.reader(app, Start::After(LineId(90))).await.unwrap();
        assert_eq!(reader.read(9, usize::MAX).await.unwrap().last, LineId(5));
        print(&logs, app, 6..=6).await;
        assert_eq!(texts(&reader.read(9, usize::MAX).await.unwrap()), ["6"]);
    }

    #[tokio::test]
    async fn what_a_torn_write_leaves_out_is_not_missed() {
        let (dir, logs) = logs();
        let app = AppId::new();
        print(&logs, app, 1..=2).await;
        logs.flush().await;
        drop(logs);
        let path = crate::segment::path(&dir.path().join(app.to_string()), 1);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let logs = Logs::open(Config { segment_bytes: 400, ..Config::new(dir.path()) }).unwrap();
        let mut reader = logs.reader(app, Start::After(LineId(0))).await.unwrap();
        print(&logs, app, 3..=40).await;
        let all = reader.read(100, usize::MAX).await.unwrap();
        assert_eq!((all.lines.len(), all.missed, all.end), (39, 0, true));
    }
}
