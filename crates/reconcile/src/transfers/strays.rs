//! What is said of dumps that are not kept any more and cannot be removed yet: once a day, not with every look.

use jiff::{SignedDuration, Timestamp};
use std::io;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// When it was said last; forgotten by a new server, which says it again.
#[derive(Debug, Default)]
pub(super) struct Strays(Option<Timestamp>);

impl Strays {
    /// These stay where they are.
    pub(super) fn stay(&mut self, left: &[(String, io::Error)], now: Timestamp) {
        if let Some((dump, error)) = left.first()
            && self.is_due(now)
        {
            let count = left.len();
            tracing::warn!(count, dump, %error, "dumps that are not kept any more stay in their store for now");
        }
    }

    fn is_due(&mut self, now: Timestamp) -> bool {
        let due = self.0.is_none_or(|last| now.duration_since(last) >= DAY);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_a_day() {
        let mut strays = Strays::default();
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        let said: Vec<_> = (0..=49).filter(|hour| strays.is_due(at(*hour))).collect();
        assert_eq!(said, [0, 24, 48]);
    }
}
