//! When the next whole copy of an add-on's data is made, after which its changes are kept.

use domain::Archive;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The usual time from one copy to the next.
    pub period: Duration,
    /// The shortest one, for an archive that changes cannot be added to: a new copy may make room.
    pub hurry: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { period: Duration::from_hours(24), hurry: Duration::from_hours(1) }
    }
}

/// When a copy is due; not after `now` if it is due now. `gap`: changes are missing since the last one, so that
/// nothing after it can be had.
pub fn due(settings: &Settings, archive: &Archive, gap: bool, now: Timestamp) -> Timestamp {
    let usual = match archive.taken_at.filter(|_| !gap) {
        None => now,
        Some(taken) => {
            let rest = if archive.failure.is_some() { settings.hurry } else { settings.period };
            taken
                .saturating_add(SignedDuration::try_from(rest).unwrap_or(SignedDuration::ZERO))
                .unwrap_or(now)
        }
    };
    archive.retry_at.map_or(usual, |retry| usual.max(retry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::AddonId;

    #[test]
    fn copies_are_made_daily_and_sooner_where_something_is_wrong() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).expect("a time");
        let check = |taken: Option<i64>, failure: bool, retry: Option<i64>, gap: bool, expected: i64| {
            let archive = Archive {
                taken_at: taken.map(at),
                failure: failure.then(|| "full".to_owned()),
                retry_at: retry.map(at),
                ..Archive::new(AddonId::new())
            };
            let found = due(&Settings::default(), &archive, gap, at(100));
            assert_eq!(found, at(expected), "{archive:?} {gap}");
        };
        check(None, false, None, false, 100);
        check(Some(90), false, None, false, 114);
        check(Some(70), false, None, false, 94);
        check(Some(90), true, None, false, 91);
        check(Some(90), false, None, true, 100);
        check(None, true, Some(101), false, 101);
        check(Some(90), true, Some(101), true, 101);
        check(Some(90), true, Some(80), true, 100);
    }
}
