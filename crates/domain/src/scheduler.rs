//! Jobs of the scheduler: commands that run at set times, and their runs.

use crate::{AccountId, AddonId, DynoId, DynoName, DynoSize, JobId, NameError, RunId};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use std::fmt;
use std::str::FromStr;

/// How often a job runs: as Heroku's Scheduler offers it, or by a cron expression.
#[derive(Clone, PartialEq, Eq)]
pub struct Frequency {
    text: String,
    is_cron: bool,
    cron: Box<Cron>,
}

const OFFERED: &str = "\"every 10 minutes\", \"hourly at :00\" (:10, … :50), \"daily at 05:30\" (on the hour or half past, UTC) \
                       or a cron expression of five fields, \"15 5 * * MON-FRI\"";

impl Frequency {
    /// Reads one. The error is meant for the user.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let words: Vec<_> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let (text, is_cron, expression) = match words[..] {
            ["every", "10", "minutes"] => ("every 10 minutes".to_owned(), false, "*/10 * * * *".to_owned()),
            ["hourly", "at", minute] | ["every", "hour", "at", minute] => {
                let minute = offered_minute(minute)?;
                (format!("hourly at :{minute:02}"), false, format!("{minute} * * * *"))
            }
            ["daily", "at", time] | ["every", "day", "at", time] => {
                let (hour, minute) = offered_time(time)?;
                (format!("daily at {hour:02}:{minute:02}"), false, format!("{minute} {hour} * * *"))
            }
            _ => {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                (text.clone(), true, text)
            }
        };
        let bad =
            |why: &dyn fmt::Display| NameError(format!("{text:?} is no frequency: {why}. Give {OFFERED}."));
        if text.len() > 100 || !text.is_ascii() {
            return Err(bad(&"it is too long, or has letters that are none of ASCII's"));
        }
        if is_cron && !text.starts_with('@') && words.len() != 5 {
            return Err(bad(&"it is none of those that are offered, and no cron expression of five fields"));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron =
            parser.parse(&expression).map_err(|error| bad(&error.to_string().trim_end_matches('.')))?;
        // Such as the 30th of February. Four centuries have every date that there is.
        if cron.find_next_occurrence(&civil::date(2000, 1, 1).at(0, 0, 0, 0), true).is_err() {
            return Err(bad(&"there is no such day"));
        }
        Ok(Self { text, is_cron, cron: Box::new(cron) })
    }

    /// Whether it is a cron expression, which goes by a time zone.
    pub fn is_cron(&self) -> bool {
        self.is_cron
    }

    /// The first due time after `time`, which is a whole second. An hour that clocks skip is made up for where
    /// it ends; of one that comes twice, what runs at a fixed time runs once.
    pub fn next_after(&self, time: Timestamp, timezone: &TimeZone) -> Option<Timestamp> {
        let whole = Timestamp::from_second(time.as_second()).ok()?.to_zoned(timezone.clone());
        let next = self.cron.find_next_occurrence(&whole, false).ok()?.timestamp();
        // Each is later than the one before, so that looking for them comes to an end.
        (next > time).then_some(next)
    }
}

fn offered_minute(text: &str) -> Result<u8, NameError> {
    let minute = text.trim_start_matches(':').parse().ok().filter(|minute| *minute < 60 && minute % 10 == 0);
    minute.ok_or_else(|| NameError(format!("{text:?} is none of :00, :10, :20, :30, :40 and :50.")))
}

fn offered_time(text: &str) -> Result<(u8, u8), NameError> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute) = (hour.parse::<u8>().ok()?, minute.parse::<u8>().ok()?);
        (hour < 24 && matches!(minute, 0 | 30)).then_some((hour, minute))
    });
    parsed
        .ok_or_else(|| NameError(format!("{text:?} is no time of day on the hour or half past, like 05:30.")))
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frequency({:?})", self.text)
    }
}

impl FromStr for Frequency {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// A command that runs at set times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub addon: AddonId,
    /// Who changed it last, in whose name it runs.
    pub user: AccountId,
    pub command: String,
    /// `None`: the size of the app's web dynos.
    pub size: Option<DynoSize>,
    pub frequency: Frequency,
    /// By its name in the IANA's database.
    pub timezone: String,
    /// Whether a run may begin while the one before it still goes.
    pub overlap: bool,
    /// Of every due time up to this one it is decided whether it runs.
    pub decided_until: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Its dyno is there, or on its way.
    Running,
    /// It ended with status 0.
    Succeeded,
    /// It ended otherwise, or was lost.
    Failed,
    /// It was due and left out.
    Skipped,
}

impl RunState {
    const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Failed, Self::Skipped];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Reads that word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One time that a job ran, or was due and did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    pub job: JobId,
    /// When it was due; `None` for one that somebody asked for.
    pub due: Option<Timestamp>,
    pub state: RunState,
    pub dyno: Option<DynoId>,
    pub dyno_name: Option<DynoName>,
    pub exit_status: Option<i32>,
    /// Why it did not run, or did not end well.
    pub failure: Option<String>,
    pub created_at: Timestamp,
    /// When its process was launched.
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies() {
        for (text, shown) in [
            ("every 10 minutes", "every 10 minutes"),
            ("Every 10  Minutes", "every 10 minutes"),
            ("hourly at :20", "hourly at :20"),
            ("every hour at 0", "hourly at :00"),
            ("daily at 5:30", "daily at 05:30"),
            ("every day at 23:00", "daily at 23:00"),
            ("15  5 * * MON-FRI", "15 5 * * MON-FRI"),
            ("@daily", "@daily"),
            ("0 0 29 2 *", "0 0 29 2 *"),
            ("0 9 * * 1#1", "0 9 * * 1#1"),
            ("0 0 L * *", "0 0 L * *"),
        ] {
            let parsed = Frequency::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(Frequency::parse(shown).unwrap(), parsed, "what is shown is read");
        }
    }

    #[test]
    fn what_is_no_frequency_is_told() {
        for (text, words) in [
            ("", "none of those that are offered"),
            ("every 5 minutes", "none of those that are offered"),
            ("hourly at :15", "\":15\" is none of :00, :10"),
            ("daily at 05:15", "no time of day on the hour or half past"),
            ("daily at 24:00", "no time of day"),
            ("* * * * * *", "five fields"),
            ("61 * * * *", "is no frequency"),
            ("a b c d e", "is no frequency"),
            ("0 0 30 2 *", "there is no such day"),
            ("@reboot", "is no frequency"),
            ("* * * * ä", "none of ASCII"),
        ] {
            let error = Frequency::parse(text).expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn times_are_those_of_the_time_zone_also_when_clocks_change() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (frequency, after, expected) in [
            ("every 10 minutes", "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"),
            ("hourly at :30", "2026-01-01T00:30:00Z", "2026-01-01T01:30:00Z"),
            ("30 5 * * *", "2026-01-10T12:00:00Z", "2026-01-11T04:30:00Z"),
            ("30 5 * * *", "2026-07-10T12:00:00Z", "2026-07-11T03:30:00Z"),
            // There is no half past two on this day: it runs when clocks have gone on.
            ("30 2 * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
            ("30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
            // This one comes twice: it runs the first time.
            ("30 2 * * *", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            // What runs all the time runs in both.
            ("*/30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
            ("*/30 * * * *", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"),
            ("*/30 * * * *", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"),
        ] {
            let after: Timestamp = after.parse().unwrap();
            let next = Frequency::parse(frequency).unwrap().next_after(after, &berlin);
            let next = next.map(|next| next.to_string());
            assert_eq!(next.as_deref(), Some(expected), "{frequency} after {after}");
        }
    }
}
