//! One line of an app's log, as Logplex frames it: time, source, process, message.

use bytes::Bytes;
use jiff::{Timestamp, tz::TimeZone};
use std::borrow::Cow;
use std::fmt;

/// Bytes of a message at most; longer output is cut into lines of this length (Heroku's figure).
pub const MAX_MESSAGE: usize = 10_000;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogSource {
    /// The app itself, and the API's record of what users did (`app[api]`).
    App,
    /// The platform: router, dyno states.
    Heroku,
}

impl LogSource {
    /// The word in front of the bracket.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Heroku => "heroku",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub time: Timestamp,
    pub source: LogSource,
    /// What stands in the brackets: `web.1`, `router`, `api`.
    pub process: Cow<'static, str>,
    /// Without the line break; not necessarily UTF-8.
    pub message: Bytes,
}

impl LogLine {
    /// A line of the platform about dyno `process`, for example a change of state.
    pub fn heroku(time: Timestamp, process: impl fmt::Display, message: impl Into<Bytes>) -> Self {
        Self { time, source: LogSource::Heroku, process: process.to_string().into(), message: message.into() }
    }

    /// A line of the app, or of the API on the app's behalf.
    pub fn app(time: Timestamp, process: impl fmt::Display, message: impl Into<Bytes>) -> Self {
        Self { time, source: LogSource::App, process: process.to_string().into(), message: message.into() }
    }
}

impl fmt::Display for LogLine {
    /// `2012-10-11T03:47:20.000000+00:00 app[web.1]: message`, as `heroku logs` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}[{}]: {}",
            self.time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"),
            self.source.as_str(),
            self.process,
            String::from_utf8_lossy(&self.message)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_heroku_does() {
        let time: Timestamp = "2012-10-11T03:47:20.00012Z".parse().unwrap();
        assert_eq!(
            LogLine::heroku(time, "router", "at=info").to_string(),
            "2012-10-11T03:47:20.000120+00:00 heroku[router]: at=info"
        );
    }
}
