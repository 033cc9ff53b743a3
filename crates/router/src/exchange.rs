//! One request over one connection: send it and wait for the head of the answer.

use crate::alarm::Alarm;
use crate::config::Config;
use crate::fault::{Fault, NO_RESPONSE};
use crate::head::response::{Head, Reader};
use crate::link::Link;
use crate::meter::Meter;
use crate::outgoing::{Outgoing, SendError};
use http::Method;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::oneshot;

/// Why there is no answer.
pub(crate) enum Failure {
    /// Not a byte of the request went out.
    Unsent,
    /// The connection ended before a byte of the answer came.
    Silent,
    Fault(&'static Fault),
}

/// Sends the request and reads the answer's head, [`crate::Timeouts::first_byte`] from the request's last
/// byte. An answer may come before all of the request has gone.
pub(crate) async fn exchange(
    link: &mut Link,
    outgoing: &mut Outgoing,
    method: &Method,
    alarm: &Alarm,
    config: &Config,
) -> Result<Head, Failure> {
    let mut reader = Reader::default();
    poll_fn(|cx| {
        if !outgoing.is_over() {
            poll_send(cx, link, outgoing)?;
        }
        loop {
            let head = reader.read(&mut link.unread, method, &config.limits, &mut outgoing.spare);
            if let Some(head) = head.map_err(Failure::Fault)? {
                return Poll::Ready(Ok(head));
            }
            match link.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) if link.unread.is_empty() => {
                    return Poll::Ready(Err(Failure::Silent));
                }
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Failure::Fault(&NO_RESPONSE))),
                Poll::Pending => break,
            }
        }
        let (deadline, fault) = outgoing.deadline(&config.timeouts);
        ready!(alarm.poll(cx, deadline));
        Poll::Ready(Err(Failure::Fault(fault)))
    })
    .await
}

/// Sends what can be sent now. That a dyno takes no more is no failure yet: it may have answered
/// before it hung up.
fn poll_send(cx: &mut Context<'_>, link: &mut Link, outgoing: &mut Outgoing) -> Result<(), Failure> {
    let Some(socket) = link.writer() else { return Ok(()) };
    match outgoing.poll_send(cx, socket) {
        Poll::Ready(Err(SendError::Client(fault))) => Err(Failure::Fault(fault)),
        Poll::Ready(Err(SendError::Dyno)) if !outgoing.is_touched => Err(Failure::Unsent),
        Poll::Ready(_) | Poll::Pending => Ok(()),
    }
}

/// The part of a request that is still being sent while its answer comes.
pub(crate) struct Rest {
    meter: Arc<Meter>,
    /// Dropped with the answer.
    _answer: oneshot::Sender<()>,
}

impl Rest {
    /// Sends it in a task of its own: the answer is not read while its client does not take it, and
    /// a client may take nothing before it has sent all. While the answer comes, that decides how
    /// long is too long; afterwards `idle` does.
    pub(crate) fn send(mut outgoing: Box<Outgoing>, mut writer: OwnedWriteHalf, idle: Duration) -> Self {
        let meter = Arc::new(Meter::new());
        let (answer, answered) = oneshot::channel();
        let rest = Self { meter: meter.clone(), _answer: answer };
        tokio::spawn(async move {
            let sending = async {
                while !outgoing.is_over() {
                    if poll_fn(|cx| outgoing.poll_step(cx, &mut writer)).await.is_err() {
                        break;
                    }
                    meter.touch();
                }
            };
            let silence = async {
                // Never sent, only dropped.
                let _ = answered.await;
                meter.silence(idle).await;
            };
            tokio::select! {
                () = sending => {}
                () = silence => {}
            }
            // A dyno that has all of the request is told nothing, for its answer may go on. One that
            // waits for more sees the end.
            if outgoing.is_finished() {
                writer.forget();
            }
        });
        rest
    }

    /// When a byte of it went last.
    pub(crate) fn moved(&self) -> Instant {
        self.meter.moved()
    }
}
