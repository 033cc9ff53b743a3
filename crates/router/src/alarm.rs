//! One timer for all the patience of a connection.
//!
//! Setting a timer costs far more than looking at it, and hardly any deadline is ever reached. So
//! the timer is set for the first deadline somebody waits for, and is left alone while that one is
//! given up and others come: those are later, for they begin later. It rings in vain then, once in
//! the time that the shortest of them takes, and is set anew.

use hyper::rt::Sleep;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// The timer of the task that serves a connection; others cannot use it.
#[derive(Clone, Default)]
pub(crate) struct Alarm(Arc<Mutex<Option<Set>>>);

struct Set {
    timer: Pin<Box<tokio::time::Sleep>>,
    at: Instant,
}

impl Alarm {
    /// Ready when `deadline` has passed; wakes the task then.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sleep = || Set { timer: Box::pin(tokio::time::sleep_until(deadline.into())), at: deadline };
        let Set { timer, at } = set.get_or_insert_with(sleep);
        if deadline < *at {
            timer.as_mut().reset(deadline.into());
            *at = deadline;
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if *at >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline.into());
            *at = deadline;
        }
    }
}

/// A wait for a deadline by an alarm.
struct Wait {
    alarm: Alarm,
    deadline: Instant,
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.alarm.poll(cx, self.deadline)
    }
}

impl Sleep for Wait {}

/// For hyper, which waits for the heads of requests.
impl hyper::rt::Timer for Alarm {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait { alarm: self.clone(), deadline })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// Waits for `deadline`, which must not be told early.
    async fn rings(alarm: &Alarm, deadline: Instant) {
        poll_fn(|cx| alarm.poll(cx, deadline)).await;
        assert!(Instant::now() >= deadline);
    }

    #[tokio::test]
    async fn each_deadline_is_told_when_it_has_passed_and_not_before() {
        let (alarm, start) = (Alarm::default(), Instant::now());
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let far = poll_fn(|cx| Poll::Ready(alarm.poll(cx, after(3_600_000)).is_pending()));
        assert!(far.await, "an hour is not over");
        // The far one is given up for nearer ones.
        rings(&alarm, after(30)).await;
        // The timer was set for 40 when this one came.
        let given_up = poll_fn(|cx| Poll::Ready(alarm.poll(cx, after(40)).is_ready()));
        given_up.await;
        rings(&alarm, after(60)).await;
        // One that has passed already.
        rings(&alarm, after(50)).await;
    }
}
