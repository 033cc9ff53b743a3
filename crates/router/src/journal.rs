//! Log lines on their way out of one thread, in bursts: waking whoever takes them costs more than
//! all else about a line, so it is done for many at once.

use crate::LogSink;
use domain::{AppId, LogLine};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A line is handed over this long after it was written, at the latest.
const DELAY: Duration = Duration::from_millis(20);
/// So many lines are handed over at once, without waiting.
const BURST: usize = 128;

/// The lines of one thread that were not handed over yet. Dropping it hands them over.
pub(crate) struct Journal {
    sink: Arc<dyn LogSink>,
    waiting: Mutex<Vec<(AppId, LogLine)>>,
    begun: Notify,
}

impl Journal {
    pub(crate) fn new(sink: Arc<dyn LogSink>) -> Self {
        Self { sink, waiting: Mutex::default(), begun: Notify::new() }
    }

    pub(crate) fn write(&self, app: AppId, line: LogLine) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push((app, line));
        let count = waiting.len();
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
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let burst = std::mem::take(&mut *waiting);
        drop(waiting);
        for (app, line) in burst {
            self.sink.log(app, line);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.hand_over();
    }
}
