//! When bytes moved last, on a road that one task drives and others watch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time of the last movement.
pub(crate) struct Meter {
    started: Instant,
    /// Milliseconds since `started`.
    moved: AtomicU64,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), moved: AtomicU64::new(0) }
    }

    pub(crate) fn touch(&self) {
        self.moved.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// When something moved last.
    pub(crate) fn moved(&self) -> Instant {
        self.started + Duration::from_millis(self.moved.load(Ordering::Relaxed))
    }

    /// Resolves when nothing has moved for `idle`.
    pub(crate) async fn silence(&self, idle: Duration) {
        loop {
            let end = self.moved() + idle;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end.into()).await;
        }
    }
}
