//! How many lines wait to be written to one app's log, and how many found no room.

use domain::LogLine;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// Bounds the lines that wait to be written: they come many to a command.
pub(crate) struct Queue {
    length: usize,
    taken: AtomicUsize,
}

/// Places for lines in a queue, until dropped.
pub(crate) struct Places {
    queue: Arc<Queue>,
    pub(crate) count: usize,
}

impl Queue {
    /// A queue of so many places.
    pub(crate) fn new(length: usize) -> Arc<Self> {
        Arc::new(Self { length, taken: AtomicUsize::new(0) })
    }

    /// Takes as many of `wanted` places as there are.
    pub(crate) fn take(self: &Arc<Self>, wanted: usize) -> Places {
        let free = |taken: usize| self.length.saturating_sub(taken).min(wanted);
        let before =
            self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| Some(taken + free(taken)));
        let count = before.map_or(0, free);
        Places { queue: self.clone(), count }
    }
}

impl Places {
    /// Makes room for others.
    pub(crate) fn give_back(&mut self) {
        self.queue.taken.fetch_sub(std::mem::take(&mut self.count), Ordering::Relaxed);
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Counts the lines for which there was no room.
#[derive(Default)]
pub(crate) struct Lost {
    count: AtomicU64,
    /// Microseconds of the first loss that was not reported yet.
    since: AtomicI64,
}

impl Lost {
    pub(crate) fn add(&self, count: u64) {
        if count > 0 && self.count.fetch_add(count, Ordering::Relaxed) == 0 {
            self.since.store(Timestamp::now().as_microsecond(), Ordering::Relaxed);
        }
    }

    /// The line that tells about the loss, if there was one since the last call.
    pub(crate) fn report(&self) -> Option<(u64, LogLine)> {
        let count = self.count.swap(0, Ordering::Relaxed);
        if count == 0 {
            return None;
        }
        let now = Timestamp::now();
        let since = Timestamp::from_microsecond(self.since.load(Ordering::Relaxed)).unwrap_or(now);
        Some((count, overflow_line(now, count, since)))
    }
}

/// Heroku's line about lines that a full buffer dropped before they were kept.
pub fn overflow_line(now: Timestamp, count: u64, since: Timestamp) -> LogLine {
    let message = format!("Error L10 (output buffer overflow): {count} messages dropped since {since}.");
    LogLine::heroku(now, "logplex", message)
}
