//! When jobs of the scheduler are due.

use domain::Job;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A due time that nobody was there for is made up for within so long.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// What is to become of a job's due times up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The due time that it is to run for.
    pub run: Option<Timestamp>,
    /// The first of those that are left out.
    pub missed: Option<Timestamp>,
    /// The next one.
    pub next: Option<Timestamp>,
}

/// Of the due times that nothing was decided about, the latest is run for, if it is not long ago; what a
/// server that was down has missed before that is left out.
pub fn decide(job: &Job, timezone: &TimeZone, now: Timestamp) -> Decision {
    let next_after = |time| job.frequency.next_after(time, timezone);
    let Some(first) = next_after(job.decided_until) else { return Decision::default() };
    if first > now {
        return Decision { next: Some(first), ..Decision::default() };
    }
    let horizon = now.saturating_sub(GRACE).unwrap_or(now);
    let (mut run, mut next) = (None, next_after(job.decided_until.max(horizon)));
    while let Some(due) = next.filter(|due| *due <= now) {
        run = Some(due);
        next = next_after(due);
    }
    Decision { run, missed: Some(first).filter(|first| run != Some(*first)), next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, AddonId, Frequency, JobId};
    use proptest::prelude::*;

    fn job(frequency: &str, decided_until: &str) -> Job {
        let time = decided_until.parse().unwrap();
        Job {
            id: JobId::new(),
            addon: AddonId::new(),
            user: AccountId::new(),
            command: "rake".into(),
            size: None,
            frequency: Frequency::parse(frequency).unwrap(),
            timezone: "UTC".into(),
            overlap: true,
            decided_until: time,
            created_at: time,
            updated_at: time,
        }
    }

    /// `run`, `missed`, `next`; `-` for none.
    fn check(frequency: &str, decided_until: &str, timezone: &TimeZone, now: &str, expected: [&str; 3]) {
        let decision = decide(&job(frequency, decided_until), timezone, now.parse().unwrap());
        let shown = [decision.run, decision.missed, decision.next]
            .map(|time| time.map_or_else(|| "-".to_owned(), |time| time.to_string()));
        assert_eq!(shown, expected, "{frequency} since {decided_until} at {now}");
    }

    #[test]
    fn a_due_time_is_run_for_once() {
        let utc = TimeZone::UTC;
        let ten = "every 10 minutes";
        check(
            ten,
            "2026-01-01T00:00:00Z",
            &utc,
            "2026-01-01T00:09:59.9Z",
            ["-", "-", "2026-01-01T00:10:00Z"],
        );
        check(
            ten,
            "2026-01-01T00:00:00Z",
            &utc,
            "2026-01-01T00:10:00Z",
            ["2026-01-01T00:10:00Z", "-", "2026-01-01T00:20:00Z"],
        );
        check(ten, "2026-01-01T00:10:00Z", &utc, "2026-01-01T00:10:01Z", ["-", "-", "2026-01-01T00:20:00Z"]);
        // A clock that was put back.
        check(ten, "2026-01-01T00:10:00Z", &utc, "2026-01-01T00:05:00Z", ["-", "-", "2026-01-01T00:20:00Z"]);
        // Made in the middle of a second.
        check(
            "* * * * *",
            "2026-01-01T00:00:00.5Z",
            &utc,
            "2026-01-01T00:01:00.1Z",
            ["2026-01-01T00:01:00Z", "-", "2026-01-01T00:02:00Z"],
        );
        check(
            "daily at 05:30",
            "2026-01-01T05:30:00Z",
            &utc,
            "2026-01-01T05:31:00Z",
            ["-", "-", "2026-01-02T05:30:00Z"],
        );
    }

    #[test]
    fn what_was_missed_is_left_out_but_for_the_latest_of_a_moment_ago() {
        let utc = TimeZone::UTC;
        check(
            "* * * * *",
            "2026-01-01T00:00:00Z",
            &utc,
            "2026-01-01T00:05:30Z",
            ["2026-01-01T00:05:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:06:00Z"],
        );
        check(
            "daily at 05:30",
            "2026-01-01T00:00:00Z",
            &utc,
            "2026-01-01T05:39:59Z",
            ["2026-01-01T05:30:00Z", "-", "2026-01-02T05:30:00Z"],
        );
        check(
            "daily at 05:30",
            "2026-01-01T00:00:00Z",
            &utc,
            "2026-01-01T05:41:00Z",
            ["-", "2026-01-01T05:30:00Z", "2026-01-02T05:30:00Z"],
        );
        // A server that was away for a year.
        check(
            "* * * * *",
            "2025-01-01T00:00:00Z",
            &utc,
            "2026-01-01T00:00:00Z",
            ["2026-01-01T00:00:00Z", "2025-01-01T00:01:00Z", "2026-01-01T00:01:00Z"],
        );
    }

    #[test]
    fn clocks_that_change_neither_double_nor_drop_a_daily_job() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        check(
            "30 2 * * *",
            "2026-03-28T01:30:00Z",
            &berlin,
            "2026-03-29T01:00:00Z",
            ["2026-03-29T01:00:00Z", "-", "2026-03-30T00:30:00Z"],
        );
        check(
            "30 2 * * *",
            "2026-10-25T00:30:00Z",
            &berlin,
            "2026-10-25T01:30:00Z",
            ["-", "-", "2026-10-26T01:30:00Z"],
        );
        // Every half hour of a day with 25 hours.
        let mut job = job("*/30 * * * *", "2026-10-24T22:00:00Z");
        let mut runs = 0;
        while let Some(next) = decide(&job, &berlin, job.decided_until).next {
            if next > "2026-10-25T23:00:00Z".parse().unwrap() {
                break;
            }
            assert_eq!(next.duration_since(job.decided_until), SignedDuration::from_mins(30));
            job.decided_until = next;
            runs += 1;
        }
        assert_eq!(runs, 50);
    }

    /// One field of a cron expression, and the values that it stands for.
    fn field(least: i8, most: i8) -> impl Strategy<Value = (String, Vec<i8>)> {
        let one = least..=most;
        prop_oneof![
            Just(("*".to_owned(), (least..=most).collect())),
            one.clone().prop_map(|value| (value.to_string(), vec![value])),
            (one.clone(), one.clone()).prop_map(|(a, b)| {
                let (from, to) = (a.min(b), a.max(b));
                (format!("{from}-{to}"), (from..=to).collect())
            }),
            (2..=most).prop_map(move |step| {
                (format!("*/{step}"), (least..=most).step_by(usize::from(step.unsigned_abs())).collect())
            }),
            (one.clone(), one).prop_map(|(a, b)| (format!("{a},{b}"), vec![a, b])),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Beside looking at every minute.
        #[test]
        fn due_times_are_those_of_the_expression(
            (minute, minutes) in field(0, 59),
            (hour, hours) in field(0, 23),
            (day, days) in field(1, 31),
            (month, months) in field(1, 12),
            start in 1_700_000_000_i64..1_900_000_000,
        ) {
            let frequency = Frequency::parse(&format!("{minute} {hour} {day} {month} *"));
            // No month has a day of that number.
            prop_assume!(frequency.is_ok());
            let frequency = frequency.unwrap();
            let start = Timestamp::from_second(start).unwrap();
            let next = frequency.next_after(start, &TimeZone::UTC).unwrap();
            let fits = |time: Timestamp| {
                let here = time.to_zoned(TimeZone::UTC);
                minutes.contains(&here.minute())
                    && hours.contains(&here.hour())
                    && days.contains(&here.day())
                    && months.contains(&here.month())
                    && here.second() == 0
            };
            prop_assert!(next > start && fits(next), "{next}");
            // Far ones are looked at from a day before.
            let mut time = start.max(next - SignedDuration::from_hours(24));
            time = Timestamp::from_second(time.as_second() / 60 * 60).unwrap();
            while time < next {
                prop_assert!(time <= start || !fits(time), "{time} is before {next}");
                time += SignedDuration::from_mins(1);
            }
        }
    }
}
