//! The figures, and what follows from them for one dyno.

use domain::{Dyno, DynoId, DynoState};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The platform's figures. The defaults are Heroku's, where Heroku has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A web dyno must listen this long after its launch (R10).
    pub boot_timeout: Duration,
    /// Between SIGTERM and SIGKILL (R12).
    pub grace: Duration,
    /// A dyno that left the routes is told to stop after this long even if requests are open.
    pub drain: Duration,
    /// A dyno that left the routes is not told to stop before this long, so that a request that was
    /// given to it in the last moment is counted.
    pub settle: Duration,
    /// A crash within this long after the launch counts towards the back-off.
    pub quick_crash: Duration,
    /// The second quick crash in a row waits this long, each further one twice as long.
    pub back_off: Duration,
    pub back_off_limit: Duration,
    /// A formation's dyno is replaced after this long, and a random part of `cycle_spread` more.
    pub cycle: Duration,
    pub cycle_spread: Duration,
    /// A client must attach to a one-off within this long (R13).
    pub attach_timeout: Duration,
    /// So many dynos of formations may be starting at once, on the whole machine.
    pub max_starting: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            boot_timeout: Duration::from_mins(1),
            grace: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            settle: Duration::from_millis(250),
            quick_crash: Duration::from_mins(10),
            back_off: Duration::from_mins(10),
            back_off_limit: Duration::from_hours(24),
            cycle: Duration::from_hours(24),
            cycle_spread: Duration::from_mins(216),
            attach_timeout: Duration::from_secs(30),
            max_starting: 8,
        }
    }
}

/// How often a place has now crashed in a row, and when it may be tried again, given the count
/// before and when the dyno was launched and ended. The first quick crash is tried again at once.
pub fn after_crash(
    settings: &Settings,
    crashes: u32,
    since: Option<Timestamp>,
    at: Timestamp,
) -> (u32, Timestamp) {
    let uptime = since.map_or(Duration::ZERO, |since| passed(since, at));
    if uptime >= settings.quick_crash {
        return (0, at);
    }
    let crashes = crashes.saturating_add(1);
    let wait = match crashes - 1 {
        0 => Duration::ZERO,
        again => settings.back_off.saturating_mul(1 << (again - 1).min(20)).min(settings.back_off_limit),
    };
    (crashes, later(at, wait))
}

/// When a dyno that is up is to be replaced because it has run for a day.
pub(super) fn cycle_at(settings: &Settings, dyno: &Dyno) -> Option<Timestamp> {
    let since = dyno.started_at.filter(|_| dyno.state == DynoState::Up)?;
    Some(later(since, settings.cycle + spread(dyno.id, settings.cycle_spread)))
}

/// A part of `limit` that is always the same for one dyno. The id is random, so no more randomness
/// is needed.
fn spread(dyno: DynoId, limit: Duration) -> Duration {
    let millis = (dyno.0.as_u128() >> 64) as u64 ^ dyno.0.as_u128() as u64;
    Duration::from_millis(millis % (limit.as_millis() as u64).max(1))
}

/// The time from one moment to another; zero if the clock went back.
pub(super) fn passed(since: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(since).try_into().unwrap_or(Duration::ZERO)
}

/// A moment later; the end of time at the latest.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_as_heroku_does() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let minutes = |count: i64| count * 60;
        for (crashes, uptime, expected_crashes, wait) in [
            (0, 5, 1, 0),
            (1, 5, 2, minutes(10)),
            (2, 5, 3, minutes(20)),
            (3, 599, 4, minutes(40)),
            (7, 5, 8, minutes(640)),
            (9, 5, 10, minutes(24 * 60)),
            (u32::MAX, 5, u32::MAX, minutes(24 * 60)),
            (5, 600, 0, 0),
        ] {
            let got = after_crash(&Settings::default(), crashes, Some(at(0)), at(uptime));
            assert_eq!(got, (expected_crashes, at(uptime + wait)), "{crashes} crashes, up for {uptime} s");
        }
        assert_eq!(after_crash(&Settings::default(), 1, None, at(0)), (2, at(600)));
    }

    #[test]
    fn spreads_evenly_within_the_limit() {
        let limit = Settings::default().cycle_spread;
        let spreads: Vec<_> = (0..1000).map(|_| spread(DynoId::new(), limit)).collect();
        assert!(spreads.iter().all(|spread| *spread < limit));
        let early = spreads.iter().filter(|spread| **spread < limit / 2).count();
        assert!((300..700).contains(&early), "{early}");
    }
}
