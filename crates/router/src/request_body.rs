//! A request's body on its way to the dyno, and what can be seen of it meanwhile.

use crate::config::Timeouts;
use crate::fault::{BAD_CHUNK, CLIENT_GONE, CLIENT_IDLE, Fault, REQUEST_TIMEOUT};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The body; empty for most requests, and for those that are sent again.
#[derive(Default)]
pub(crate) struct RequestBody {
    incoming: Option<Incoming>,
    progress: Option<Arc<Progress>>,
}

/// Where a body stands. Shared by the body, which the connection to the dyno owns, and the task
/// that waits for the response.
pub(crate) struct Progress {
    started: Instant,
    /// Milliseconds from `started` to the last byte.
    moved: AtomicU64,
    stage: AtomicU8,
    fault: OnceLock<&'static Fault>,
    finished: Notify,
}

/// The dyno is to read next.
const DYNO: u8 = 0;
/// The client is to send next.
const CLIENT: u8 = 1;
/// All of it has gone to the dyno.
const FINISHED: u8 = 2;

impl RequestBody {
    pub(crate) fn new(incoming: Incoming) -> Self {
        if incoming.is_end_stream() {
            return Self::default();
        }
        let progress = Progress {
            started: Instant::now(),
            moved: AtomicU64::new(0),
            stage: AtomicU8::new(DYNO),
            fault: OnceLock::new(),
            finished: Notify::new(),
        };
        Self { incoming: Some(incoming), progress: Some(Arc::new(progress)) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.is_none()
    }

    /// Nothing when there is no body to watch.
    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        self.progress.clone()
    }
}

impl Progress {
    /// Why the body broke, if it did.
    pub(crate) fn fault(&self) -> Option<&'static Fault> {
        self.fault.get().copied()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.stage.load(Ordering::Acquire) == FINISHED
    }

    /// The time since the last byte went to the dyno.
    pub(crate) fn quiet(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.moved.load(Ordering::Relaxed)))
    }

    /// When patience ends as things stand, and with what.
    pub(crate) fn deadline(&self, timeouts: &Timeouts) -> (Instant, &'static Fault) {
        let moved = self.started + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        match self.stage.load(Ordering::Acquire) {
            CLIENT => (moved + timeouts.idle, &CLIENT_IDLE),
            FINISHED => (moved + timeouts.first_byte, &REQUEST_TIMEOUT),
            _ => (moved + timeouts.idle, &REQUEST_TIMEOUT),
        }
    }

    /// Resolves when all of the body has gone, or had before.
    pub(crate) async fn finished(&self) {
        let notified = self.finished.notified();
        if !self.is_finished() {
            notified.await;
        }
    }

    fn touch(&self, stage: u8) {
        self.moved.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
        self.stage.store(stage, Ordering::Release);
        if stage == FINISHED {
            // A permit is kept for one who asks later.
            self.finished.notify_one();
        }
    }

    fn break_off(&self, error: &hyper::Error) {
        let _ = self.fault.set(fault_of(error));
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { incoming: Some(incoming), progress: Some(progress) } = &mut *self else {
            return Poll::Ready(None);
        };
        progress.stage.compare_exchange(DYNO, CLIENT, Ordering::AcqRel, Ordering::Relaxed).ok();
        let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => progress.touch(if incoming.is_end_stream() { FINISHED } else { DYNO }),
            Some(Err(error)) => progress.break_off(error),
            None => progress.touch(FINISHED),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Tells a client that broke off from one that broke the rules of chunked coding.
fn fault_of(error: &hyper::Error) -> &'static Fault {
    let broken_coding =
        error.source().and_then(|source| source.downcast_ref::<io::Error>()).is_some_and(|source| {
            matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        });
    if broken_coding { &BAD_CHUNK } else { &CLIENT_GONE }
}
