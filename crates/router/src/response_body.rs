//! A response's body on its way to the client: counted, timed, and the end of its request.

use crate::answer_body::AnswerBody;
use crate::exchange::Rest;
use crate::fault::{IDLE, INTERRUPTED};
use crate::record::Record;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// The body. The record inside ends the request when the body is dropped.
pub(crate) struct ResponseBody {
    source: Source,
    record: Option<Box<Record>>,
}

enum Source {
    /// A page of the router's own, or nothing.
    Page(Option<Bytes>),
    Dyno(Box<Relay>),
    /// A dyno's body that has come as a whole.
    Over,
}

/// A body that a dyno is sending.
struct Relay {
    body: AnswerBody,
    /// The request's body, if it is still under way.
    rest: Option<Rest>,
    /// Since when nothing comes.
    resting: Option<Instant>,
}

/// Tells the server to cut the client's connection: part of a message was lost.
#[derive(Debug, thiserror::Error)]
#[error("the response ended early")]
pub(crate) struct CutOff;

impl ResponseBody {
    /// A page of the router's own.
    pub(crate) fn page(bytes: Bytes, mut record: Option<Box<Record>>) -> Self {
        if let Some(record) = &mut record {
            record.complete = true;
        }
        Self { source: Source::Page(Some(bytes).filter(|bytes| !bytes.is_empty())), record }
    }

    /// What a dyno answers.
    pub(crate) fn relay(body: AnswerBody, rest: Option<Rest>, record: Box<Record>) -> Self {
        let over = body.is_over();
        let relay = Relay { body, rest, resting: None };
        let mut body = Self { source: Source::Dyno(Box::new(relay)), record: Some(record) };
        if over {
            body.finish();
        }
        body
    }

    /// The whole body has come: the connection is free again.
    fn finish(&mut self) {
        let Source::Dyno(relay) = std::mem::replace(&mut self.source, Source::Over) else { return };
        let Some(record) = &mut self.record else { return };
        record.complete = true;
        if let (Some(link), Some(slot)) = (relay.body.into_link(), &record.slot) {
            record.worker.pool.put(slot.dyno(), link);
        }
    }
}

impl Relay {
    /// When patience ends: `idle` after the last byte on either side. Called while nothing comes.
    fn deadline(&mut self, idle: Duration) -> Instant {
        let resting = *self.resting.get_or_insert_with(Instant::now);
        // The request's body may be moving while the response rests.
        self.rest.as_ref().map_or(resting, |rest| rest.moved().max(resting)) + idle
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let Self { source, record } = &mut *self;
        let relay = match source {
            Source::Page(page) => return Poll::Ready(page.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Over => return Poll::Ready(None),
            Source::Dyno(relay) => relay,
        };
        let Some(record) = record else { return Poll::Ready(None) };
        let idle = record.worker.shared.config.timeouts.idle;
        if record.fault.is_some() {
            return Poll::Ready(Some(Err(CutOff)));
        }
        let fault = match relay.body.poll_frame(cx) {
            Poll::Pending => {
                ready!(record.client.alarm.poll(cx, relay.deadline(idle)));
                &IDLE
            }
            Poll::Ready(Some(Err(_))) => &INTERRUPTED,
            Poll::Ready(Some(Ok(frame))) => {
                relay.resting = None;
                record.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                if relay.body.is_over() {
                    self.finish();
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(None) => {
                self.finish();
                return Poll::Ready(None);
            }
        };
        record.fail(fault);
        // An error cuts the client's connection at once. What came before it may still be in the
        // server's buffer, and goes to the client while this body waits.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Page(page) => page.is_none(),
            Source::Dyno(relay) => relay.body.is_over(),
            Source::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Page(page) => SizeHint::with_exact(page.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Dyno(relay) => relay.body.size_hint(),
            Source::Over => SizeHint::with_exact(0),
        }
    }
}
