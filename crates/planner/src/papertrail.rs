//! When searches are looked up for their alerts, and when alerts are sent.

use domain::papertrail::Alert;
use jiff::{SignedDuration, Timestamp};

/// Attempts to send an alert after which it is given up.
const ATTEMPTS: u32 = 6;
/// Rest after an attempt; twice as long after each further one.
const REST: SignedDuration = SignedDuration::from_secs(5);

/// What an alert needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look whether there are lines that nobody was told of.
    Look,
    /// Send what was found.
    Send,
    /// Nothing before then.
    Wait(Timestamp),
}

/// The next step.
pub fn step(alert: &Alert, now: Timestamp) -> Step {
    match &alert.batch {
        Some(batch) => match batch.retry_at.filter(|at| *at > now) {
            Some(at) => Step::Wait(at),
            None => Step::Send,
        },
        None => match alert.checked_at.saturating_add(alert.period.length()).unwrap_or(now) {
            at if at > now => Step::Wait(at),
            _ => Step::Look,
        },
    }
}

/// When what has failed so many times is tried again; `None` if it is given up.
pub fn retry_at(attempts: u32, now: Timestamp) -> Option<Timestamp> {
    if attempts >= ATTEMPTS {
        return None;
    }
    let rest = REST.checked_mul(1 << attempts.saturating_sub(1).min(16)).unwrap_or(REST);
    now.checked_add(rest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::BatchId;
    use domain::papertrail::{Batch, Period, Recipient};

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn alert(period: Period) -> Alert {
        Alert {
            period,
            to: Recipient::Email("ada@example.com".into()),
            seen: 0,
            checked_at: time(0),
            batch: None,
            sent_at: None,
            failure: None,
        }
    }

    #[test]
    fn searches_are_looked_up_once_in_a_period() {
        for (period, at) in [(Period::Minute, 60), (Period::Hour, 3600), (Period::Day, 86_400)] {
            assert_eq!(step(&alert(period), time(at - 1)), Step::Wait(time(at)));
            assert_eq!(step(&alert(period), time(at)), Step::Look);
        }
    }

    #[test]
    fn what_was_found_is_sent_before_anything_else() {
        let batch = Batch { id: BatchId::new(), after: 0, until: 9, attempts: 0, retry_at: None };
        let mut alert = Alert { batch: Some(batch.clone()), ..alert(Period::Minute) };
        assert_eq!(step(&alert, time(1)), Step::Send);
        alert.batch = Some(Batch { attempts: 1, retry_at: Some(time(100)), ..batch });
        assert_eq!(step(&alert, time(99)), Step::Wait(time(100)));
        assert_eq!(step(&alert, time(100)), Step::Send);
    }

    #[test]
    fn rests_grow_and_come_to_an_end() {
        let rests: Vec<_> =
            (1..=6).map(|attempts| retry_at(attempts, time(0)).map(Timestamp::as_second)).collect();
        assert_eq!(rests, [Some(5), Some(10), Some(20), Some(40), Some(80), None]);
    }
}
