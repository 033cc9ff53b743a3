//! The work for one drain: reads its app's log from where it was, sends, rests when that fails, and takes down
//! how far it has got.
//!
//! It holds one batch in memory. What waits is in the log, so a drain can be behind by as much as is kept of that.

use super::channel::{Channel, Failure, Sent};
use super::frame::{Batch, LOGPLEX};
use super::place::{Place, Places};
use crate::error::{Error, Result, chain};
use domain::{Drain, DrainId, LogLine};
use logs::{LineId, Logs, Reader, Start};
use ops::Ops;
use planner::drains::{Settings, rest};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Lines of a batch at most (Heroku's figure for what it holds of a drain).
const LINES: usize = 1024;
/// A connection over which nothing goes is closed (Heroku's figure).
const IDLE: Duration = Duration::from_mins(4);
/// While it has much to read, the place is taken down so often.
const SAVE: Duration = Duration::from_secs(1);
/// After so many failures in a row the app is told.
const TROUBLE: u32 = 3;
/// And not again before.
const TELL: Duration = Duration::from_mins(5);
/// A drain without a place begins with lines of so long ago at most.
const NEW: Duration = Duration::from_hours(1);
/// A batch that is under way when the server ends has so long.
const GRACE: Duration = Duration::from_secs(2);

/// Drains that do not take what they are sent, and why.
#[derive(Clone, Default)]
pub(super) struct Failing(Arc<Mutex<BTreeMap<DrainId, String>>>);

impl Failing {
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn set(&self, drain: DrainId, why: Option<&str>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => _ = all.insert(drain, why.to_owned()),
            None => _ = all.remove(&drain),
        }
    }
}

/// What became of a batch.
#[derive(PartialEq, Eq)]
enum Fate {
    Taken,
    GivenUp,
    /// The server ends; the next one sends it.
    Kept,
}

/// One drain's.
pub(super) struct Delivery {
    pub(super) ops: Ops,
    pub(super) logs: Logs,
    pub(super) settings: Settings,
    pub(super) drain: Drain,
    pub(super) channel: Channel,
    pub(super) places: Places,
    pub(super) failing: Failing,
    pub(super) shutdown: CancellationToken,
    pub(super) state: State,
}

/// What changes as it goes.
#[derive(Default)]
pub(super) struct State {
    /// Whether it has a place already.
    is_open: bool,
    place: Place,
    /// As it was last taken down, and when.
    saved: Option<(Place, Instant)>,
    /// In a row.
    failures: u32,
    /// When the app was last told of trouble, and whether that is over.
    told: Option<Instant>,
    in_trouble: bool,
}

impl Delivery {
    /// Delivers until the server ends or `gone`.
    pub(super) async fn run(mut self, gone: CancellationToken) {
        let shutdown = self.shutdown.clone();
        let result = {
            let mut work = std::pin::pin!(self.deliver());
            tokio::select! {
                biased;
                () = gone.cancelled() => Ok(()),
                result = &mut work => result,
                () = shutdown.cancelled() => tokio::time::timeout(GRACE, work).await.unwrap_or(Ok(())),
            }
        };
        self.save().await;
        self.channel.close().await;
        self.failing.set(self.drain.id, None);
        match result {
            // The app was destroyed.
            Ok(()) | Err(Error::Logs(logs::Error::Removed)) => {}
            Err(error) => {
                tracing::warn!(drain = %self.drain.id, error = chain(&error), "a log was not read for its drain");
            }
        }
    }

    async fn deliver(&mut self) -> Result<()> {
        let mut reader = self.open().await?;
        while !self.shutdown.is_cancelled() {
            let portion = reader.read(LINES, self.channel.batch_bytes()).await?;
            self.state.place.lose(portion.missed, self.ops.now());
            let place = &self.state.place;
            let loss = place.since.map(|since| logs::overflow_line(self.ops.now(), place.lost, since));
            let batch = Batch::new(self.drain.id, &self.channel.framing, loss.as_ref(), &portion.lines);
            if let Some(batch) = batch {
                match self.carry(&batch).await {
                    Fate::Taken => self.state.place.told(),
                    Fate::GivenUp => self.state.place.lose(batch.lines, self.ops.now()),
                    Fate::Kept => return Ok(()),
                }
            }
            self.state.place.after = portion.last.0;
            let is_due = self.state.saved.is_none_or(|(_, at)| at.elapsed() >= SAVE);
            if portion.end || is_due {
                self.save().await;
            }
            if portion.end {
                self.wait(&mut reader).await?;
            }
        }
        Ok(())
    }

    /// Begins where it was, or with the first line since the drain was added. One that is old and has lost
    /// its place does not begin with all that there is.
    async fn open(&mut self) -> Result<Reader> {
        let known = self.places.load(self.drain.id).await?;
        let start = match known {
            Some(place) => Start::After(LineId(place.after)),
            None => Start::Since(self.drain.created_at.max(self.ops.now() - NEW)),
        };
        let reader = self.logs.reader(self.drain.app, start).await?;
        self.state.place = Place { after: reader.place().0, ..known.unwrap_or_default() };
        self.state.is_open = true;
        self.save().await;
        Ok(reader)
    }

    /// Waits for lines, and a little for more of them.
    async fn wait(&mut self, reader: &mut Reader) -> Result<()> {
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                grown = reader.grown() => {
                    grown?;
                    break;
                }
                () = sleep(IDLE) => self.channel.close().await,
            }
        }
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = sleep(self.settings.linger) => {}
        }
        Ok(())
    }

    /// Tries until a batch is taken or given up.
    async fn carry(&mut self, batch: &Batch) -> Fate {
        let mut tries = 0;
        loop {
            let failure = match self.channel.send(batch).await {
                Sent::Taken => {
                    self.succeeded();
                    return Fate::Taken;
                }
                Sent::Refused(why) => {
                    tries = self.settings.tries;
                    Failure::under_way(why)
                }
                Sent::Failed(failure) => {
                    tries += u32::from(failure.begun);
                    failure
                }
            };
            self.failed(&failure);
            let rests = self.channel.rests;
            let jitter = (uuid::Uuid::new_v4().as_u128() % 1000) as f64 / 1000.0;
            let is_over = tokio::select! {
                () = self.shutdown.cancelled() => true,
                () = sleep(rest(&rests, self.state.failures, jitter)) => false,
            };
            if tries >= self.settings.tries {
                return Fate::GivenUp;
            }
            if is_over {
                return Fate::Kept;
            }
        }
    }

    fn succeeded(&mut self) {
        self.state.failures = 0;
        self.failing.set(self.drain.id, None);
        if std::mem::take(&mut self.state.in_trouble) {
            self.tell(format!("Drain {} takes this app's log again.", self.drain.token));
        }
    }

    fn failed(&mut self, failure: &Failure) {
        let Failure { why, .. } = failure;
        self.state.failures = self.state.failures.saturating_add(1);
        self.failing.set(self.drain.id, Some(why));
        tracing::debug!(drain = %self.drain.id, why, failures = self.state.failures, "a drain failed");
        let is_trouble = failure.lasting || self.state.failures >= TROUBLE;
        let is_told = self.state.in_trouble || self.state.told.is_some_and(|at| at.elapsed() < TELL);
        if !is_trouble || is_told {
            return;
        }
        (self.state.in_trouble, self.state.told) = (true, Some(Instant::now()));
        tracing::warn!(drain = %self.drain.id, why, "a drain does not take its app's log");
        self.tell(if failure.certificate {
            let uri = origin(&self.drain.url);
            format!("Error L14 (certificate validation): error=\"{why}\" uri=\"{uri}\"")
        } else {
            format!("Drain {} does not take this app's log: {why}. It is tried again.", self.drain.token)
        });
    }

    /// Says something in the log, but not to drains.
    fn tell(&self, text: String) {
        self.logs.append(self.drain.app, LogLine::heroku(self.ops.now(), LOGPLEX, text));
    }

    async fn save(&mut self) {
        let place = self.state.place;
        if !self.state.is_open || self.state.saved.is_some_and(|(saved, _)| saved == place) {
            return;
        }
        match self.places.save(self.drain.id, &place).await {
            Ok(()) => self.state.saved = Some((place, Instant::now())),
            // Lines are sent again if the server is killed now; nothing is lost.
            Err(error) => tracing::warn!(drain = %self.drain.id, error = chain(&error), "a drain goes on"),
        }
    }
}

/// An address without what is secret in it.
fn origin(url: &str) -> String {
    let Ok(url) = url.parse::<reqwest::Url>() else { return String::new() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_an_address_is_no_secret() {
        for (url, expected) in [
            ("https://me:secret@logs.example.com/secret?secret#secret", "https://logs.example.com"),
            ("syslog+tls://logs.example.com:6514", "syslog+tls://logs.example.com:6514"),
            ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }
}
