//! A response's body on its way to the client: counted, timed, and the end of its request.

use crate::connection::Worker;
use crate::fault::{IDLE, INTERRUPTED};
use crate::record::Record;
use crate::request_body::{Progress, RequestBody};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::SendRequest;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The body. The record inside ends the request when the body is dropped.
pub(crate) struct ResponseBody {
    source: Source,
    record: Option<Box<Record>>,
}

enum Source {
    /// A page of the router's own, or nothing.
    Page(Option<Bytes>),
    Dyno(Box<Relay>),
}

/// A body that a dyno is sending.
struct Relay {
    incoming: Incoming,
    /// The connection it comes over, until it has come.
    sender: Option<SendRequest<RequestBody>>,
    progress: Option<Arc<Progress>>,
    worker: Arc<Worker>,
    /// Runs while nothing comes.
    waiting: Option<Pin<Box<Sleep>>>,
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
    pub(crate) fn relay(
        worker: &Arc<Worker>,
        incoming: Incoming,
        sender: SendRequest<RequestBody>,
        progress: Option<Arc<Progress>>,
        record: Box<Record>,
    ) -> Self {
        let ended = incoming.is_end_stream();
        let relay = Relay { incoming, sender: Some(sender), progress, worker: worker.clone(), waiting: None };
        let mut body = Self { source: Source::Dyno(Box::new(relay)), record: Some(record) };
        if ended {
            body.finish();
        }
        body
    }

    /// The whole body has come: the connection is free again.
    fn finish(&mut self) {
        let Source::Dyno(relay) = &mut self.source else { return };
        let Some(record) = &mut self.record else { return };
        record.complete = true;
        // A dyno may answer before it has read the request; such a connection is not reused.
        let request_done = relay.progress.as_ref().is_none_or(|progress| progress.is_finished());
        if let (Some(sender), Some(slot), true) = (relay.sender.take(), &record.slot, request_done) {
            relay.worker.pool.put(slot.dyno(), sender);
        }
    }
}

impl Relay {
    /// Whether both sides were silent for too long. Called while nothing comes.
    fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        let idle = self.worker.shared.config.timeouts.idle;
        loop {
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
            if waiting.as_mut().poll(cx).is_pending() {
                return false;
            }
            // The request's body may be moving while the response rests.
            let quiet = self.progress.as_ref().filter(|progress| !progress.is_finished()).map(|p| p.quiet());
            match quiet {
                Some(quiet) if quiet < idle => {
                    let rest = idle.saturating_sub(quiet).max(Duration::from_millis(1));
                    self.waiting = Some(Box::pin(tokio::time::sleep(rest)));
                }
                _ => return true,
            }
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let me = &mut *self;
        let relay = match &mut me.source {
            Source::Page(page) => return Poll::Ready(page.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Dyno(relay) => relay,
        };
        let fault = match Pin::new(&mut relay.incoming).poll_frame(cx) {
            Poll::Pending if relay.is_idle(cx) => &IDLE,
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Err(_))) => &INTERRUPTED,
            Poll::Ready(Some(Ok(frame))) => {
                relay.waiting = None;
                let ended = relay.incoming.is_end_stream();
                if let (Some(record), Some(data)) = (&mut me.record, frame.data_ref()) {
                    record.bytes += data.len() as u64;
                }
                if ended {
                    me.finish();
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(None) => {
                me.finish();
                return Poll::Ready(None);
            }
        };
        if let Some(record) = &mut me.record {
            record.fail(fault);
        }
        Poll::Ready(Some(Err(CutOff)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Page(page) => page.is_none(),
            Source::Dyno(relay) => relay.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Page(page) => SizeHint::with_exact(page.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Dyno(relay) => relay.incoming.size_hint(),
        }
    }
}
