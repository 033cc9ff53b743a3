//! Runs a loop: when its timer rings or somebody nudges it, one turn at a time.
//!
//! A turn gets no message; it looks at the world. That is why nudges may come twice, early or for
//! nothing, and why a turn that failed or panicked is simply followed by another one.

use crate::error::{Error, Result, chain};
use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// After a failure a loop rests this long, and twice as long after each further one.
const REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// One loop.
#[async_trait]
pub(crate) trait Loop: Send + 'static {
    /// As operators know it.
    fn name(&self) -> &'static str;

    /// A turn is due after this long even if nobody nudges.
    fn period(&self) -> Duration;

    /// Looks at the world and does what is to be done now.
    async fn run_once(&mut self) -> Result<Turn>;
}

/// What a turn came to.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// For operators.
    pub(crate) detail: Value,
    /// The next turn is due then.
    pub(crate) next: Option<Timestamp>,
}

/// Wakes a loop. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nudge(Arc<Notify>);

impl Nudge {
    /// The loop takes a turn soon, also if it is in the middle of one.
    pub(crate) fn now(&self) {
        self.0.notify_one();
    }

    /// Nudges whenever `feed` moves.
    pub(crate) fn on(&self, mut feed: watch::Receiver<u64>, shutdown: &CancellationToken) {
        let nudge = self.clone();
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    changed = feed.changed() => if changed.is_err() {
                        return;
                    },
                }
                nudge.now();
            }
        });
    }
}

/// How the loops are doing, for operators and for the question whether the server is ready.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<BTreeMap<&'static str, Entry>>>);

#[derive(Clone, Debug, Default)]
struct Entry {
    turns: u64,
    failures_in_a_row: u32,
    last: Option<Timestamp>,
    took: Duration,
    error: Option<String>,
    detail: Value,
}

impl Board {
    /// All loops as JSON: turns taken, when, how long, what they found, what went wrong.
    pub fn json(&self) -> Value {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let describe = |entry: &Entry| {
            json!({
                "turns": entry.turns,
                "last": entry.last.map(|time| time.to_string()),
                "milliseconds": entry.took.as_millis() as u64,
                "failures_in_a_row": entry.failures_in_a_row,
                "error": entry.error,
                "detail": entry.detail,
            })
        };
        entries
            .iter()
            .map(|(name, entry)| ((*name).to_owned(), describe(entry)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// Whether every loop has taken a turn without failing, and none fails now again and again.
    pub fn ready(&self) -> bool {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.values().all(|entry| entry.turns > 0 && entry.failures_in_a_row < 5)
    }

    /// A loop of this name is about to run; until its first turn the server is not ready.
    pub(crate) fn expect(&self, name: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default();
    }

    /// Notes how a turn went and returns how many have failed in a row.
    fn record(&self, name: &'static str, started: Instant, result: Result<Value>) -> u32 {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(name).or_default();
        entry.last = Some(Timestamp::now());
        entry.took = started.elapsed();
        match result {
            Ok(detail) => {
                entry.turns += 1;
                entry.failures_in_a_row = 0;
                entry.error = None;
                entry.detail = detail;
            }
            Err(error) => {
                entry.failures_in_a_row += 1;
                entry.error = Some(chain(&error));
            }
        }
        entry.failures_in_a_row
    }
}

/// Takes turns until `shutdown`. A turn that has begun is finished.
pub(crate) async fn drive(mut work: impl Loop, nudge: Nudge, board: Board, shutdown: CancellationToken) {
    let name = work.name();
    board.expect(name);
    while !shutdown.is_cancelled() {
        let started = Instant::now();
        let turn = AssertUnwindSafe(work.run_once()).catch_unwind().await;
        let turn = turn.unwrap_or_else(|panic| Err(Error::Panic(panic_text(&*panic))));
        let mut pause = work.period();
        let result = turn.map(|turn| {
            if let Some(next) = turn.next {
                let left = next.duration_since(Timestamp::now());
                pause = pause.min(left.try_into().unwrap_or(Duration::ZERO));
            }
            turn.detail
        });
        if let Err(error) = &result {
            tracing::warn!(name, error = chain(error), "a loop could not finish its turn");
        }
        let failures = board.record(name, started, result);
        if failures > 0 {
            // Nudges do not shorten this: what failed would mostly fail again.
            let rest = REST.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_REST);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(rest) => {}
            }
        } else {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = nudge.0.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Fails, panics, then succeeds.
    struct Shaky(Arc<AtomicU32>);

    #[async_trait]
    impl Loop for Shaky {
        fn name(&self) -> &'static str {
            "shaky"
        }
        fn period(&self) -> Duration {
            Duration::from_hours(1)
        }
        async fn run_once(&mut self) -> Result<Turn> {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 => Err(Error::io("try")(std::io::Error::other("no luck"))),
                1 => panic!("at the {}", "disco"),
                turn => Ok(Turn { detail: json!({ "turn": turn }), next: None }),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_after_failures_and_panics() {
        let (board, nudge, shutdown) = (Board::default(), Nudge::default(), CancellationToken::new());
        let count = Arc::new(AtomicU32::new(0));
        let driven =
            tokio::spawn(drive(Shaky(count.clone()), nudge.clone(), board.clone(), shutdown.clone()));
        let turns = |wanted: u32| {
            let count = count.clone();
            async move {
                while count.load(Ordering::SeqCst) < wanted {
                    tokio::task::yield_now().await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        };
        turns(1).await;
        assert!(!board.ready());
        assert_eq!(board.json()["shaky"]["error"], "could not try: no luck");
        turns(2).await;
        assert_eq!(board.json()["shaky"]["error"], "the loop panicked: at the disco");
        turns(3).await;
        assert!(board.ready());
        assert_eq!(board.json()["shaky"]["detail"]["turn"], 2);
        nudge.now();
        turns(4).await;
        shutdown.cancel();
        driven.await.unwrap();
    }
}
