//! When an event that a webhook did not take is told again.

use domain::webhook::Level;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How patient the platform is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Rest after the first failure; twice as long after each further one, up to `longest_rest`.
    pub rest: Duration,
    pub longest_rest: Duration,
    /// What is not taken by then is given up.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rest: Duration::from_secs(5),
            longest_rest: Duration::from_hours(1),
            patience: Duration::from_hours(72),
        }
    }
}

/// After `attempts` that failed: when the next one is due, or `None` if there is none. `since` is when it
/// happened; `jitter`, from 0 to 1, keeps those that failed together from coming back together.
pub fn next_attempt(
    settings: &Settings,
    level: Level,
    attempts: u32,
    since: Timestamp,
    jitter: f64,
    now: Timestamp,
) -> Option<Timestamp> {
    let doubled = settings.rest.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    let rest = doubled.min(settings.longest_rest).mul_f64(0.75 + jitter.clamp(0.0, 1.0) / 2.0);
    let next = now.checked_add(SignedDuration::try_from(rest).ok()?).ok()?;
    let end = since.checked_add(SignedDuration::try_from(settings.patience).ok()?).ok()?;
    (level == Level::Sync && next < end).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_to_be_in_step_is_told_again_and_not_for_ever() {
        let since = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |seconds| since + SignedDuration::from_secs(seconds);
        let next = |level, attempts, jitter, now| {
            next_attempt(&Settings::default(), level, attempts, since, jitter, at(now))
                .map(|next| next.duration_since(since).as_secs())
        };
        assert_eq!(next(Level::Notify, 1, 0.5, 0), None);
        for (attempts, jitter, now, expected) in [
            (1, 0.5, 0, Some(5)),
            (2, 0.5, 5, Some(15)),
            (2, 0.0, 5, Some(12)),
            (2, 1.0, 5, Some(17)),
            (30, 0.5, 1000, Some(4600)),
            (30, 0.5, 72 * 3600 - 3601, Some(72 * 3600 - 1)),
            (30, 0.5, 72 * 3600 - 3600, None),
        ] {
            assert_eq!(next(Level::Sync, attempts, jitter, now), expected, "{attempts} at {now}");
        }
    }
}
