//! Log lines on their way out of one thread, in bursts: waking whoever takes them costs more than
//! all else about a line, so it is done for many at once.

use crate::LogSink;
use bytes::BytesMut;
use domain::{AppId, LogLine, LogSource};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A line is handed over this long after it was written, at the latest.
const DELAY: Duration = Duration::from_millis(50);
/// So many lines are handed over at once, without waiting.
const BURST: usize = 1024;
/// Lines are written one behind the other into buffers of so many bytes.
const BUFFER: usize = 16 * 1024;
/// Bytes of a usual line, with room.
const LINE: usize = 512;

/// The lines of one thread that were not handed over yet. Dropping it hands them over.
pub(crate) struct Journal {
    sink: Arc<dyn LogSink>,
    waiting: Mutex<Waiting>,
    begun: Notify,
}

struct Waiting {
    lines: HashMap<AppId, Vec<LogLine>>,
    count: usize,
    /// Room for the text of the next lines.
    buffer: BytesMut,
}

impl Journal {
    pub(crate) fn new(sink: Arc<dyn LogSink>) -> Self {
        let waiting = Waiting { lines: HashMap::new(), count: 0, buffer: BytesMut::with_capacity(BUFFER) };
        Self { sink, waiting: Mutex::new(waiting), begun: Notify::new() }
    }

    /// Adds a line of the router's to an app's log; `text` appends its words.
    pub(crate) fn write(&self, app: AppId, time: Timestamp, text: impl FnOnce(&mut BytesMut)) {
        let mut waiting = self.waiting();
        let Waiting { lines, count, buffer } = &mut *waiting;
        // Takes another buffer of the first one's size when this one is full.
        buffer.reserve(LINE);
        text(buffer);
        let message = buffer.split().freeze();
        let process = Cow::Borrowed("router");
        lines.entry(app).or_default().push(LogLine { time, source: LogSource::Heroku, process, message });
        *count += 1;
        let count = *count;
        drop(waiting);
        match count {
            1 => self.begun.notify_one(),
            BURST.. => self.hand_over(),
            _ => {}
        }
    }

    /// Hands lines over for as long as this is polled.
    pub(crate) async fn run(&self) {
        loop {
            self.begun.notified().await;
            tokio::time::sleep(DELAY).await;
            self.hand_over();
        }
    }

    pub(crate) fn hand_over(&self) {
        let mut waiting = self.waiting();
        let lines = std::mem::take(&mut waiting.lines);
        waiting.count = 0;
        drop(waiting);
        for (app, lines) in lines {
            self.sink.log(app, lines);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.hand_over();
    }
}
