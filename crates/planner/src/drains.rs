//! How patient the platform is with a log drain that does not take what it is sent.

use std::time::Duration;

/// What applies to all drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A batch that was begun to be sent so often is given up (Heroku's figure).
    pub tries: u32,
    pub http: Rests,
    /// Heroku's figures.
    pub syslog: Rests,
    /// Lines that come so soon after one another go together.
    pub linger: Duration,
}

/// How long it rests after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rests {
    /// After the first; twice as long after each further one in a row.
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tries: 3,
            http: Rests { first: Duration::from_secs(1), longest: Duration::from_mins(1) },
            syslog: Rests { first: Duration::from_secs(30), longest: Duration::from_mins(5) },
            linger: Duration::from_millis(200),
        }
    }
}

/// The rest after so many failures in a row. `jitter`, from 0 to 1, keeps drains that failed together from
/// coming back together.
pub fn rest(rests: &Rests, failures: u32, jitter: f64) -> Duration {
    let doubled = rests.first.saturating_mul(1 << failures.saturating_sub(1).min(20));
    doubled.min(rests.longest).mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_and_have_an_end() {
        let Settings { http, syslog, .. } = Settings::default();
        for (rests, failures, jitter, expected) in [
            (http, 1, 0.0, 1000),
            (http, 2, 0.0, 2000),
            (http, 3, 1.0, 5000),
            (http, 7, 0.0, 60_000),
            (http, u32::MAX, 0.5, 67_500),
            (syslog, 1, 0.0, 30_000),
            (syslog, 4, 0.0, 240_000),
            (syslog, 5, 0.0, 300_000),
        ] {
            assert_eq!(rest(&rests, failures, jitter).as_millis(), expected, "{failures}");
        }
    }
}
