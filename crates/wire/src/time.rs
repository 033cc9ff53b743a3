//! Moments as the API writes them: RFC 3339, UTC, whole seconds (`2012-01-01T12:00:00Z`).

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment. Written in whole seconds, read with any precision and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub Timestamp);

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A precision of zero truncates, so that a moment never appears to lie in the future.
        write!(f, "{:.0}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Timestamp::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_whole_seconds_and_reads_any_precision() {
        for (text, written) in [
            ("2012-01-01T12:00:00Z", "\"2012-01-01T12:00:00Z\""),
            ("2012-01-01T12:00:00.999999Z", "\"2012-01-01T12:00:00Z\""),
            ("2012-01-01T14:00:00+02:00", "\"2012-01-01T12:00:00Z\""),
        ] {
            let time: Time = serde_json::from_value(text.into()).unwrap();
            assert_eq!(serde_json::to_string(&time).unwrap(), written);
        }
    }
}
