//! Moments as the official CLI shows them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use wire::Time;

/// `2012/09/12 15:30:00 +0200 (~ 5m ago)`; the second part for a day or so.
pub(crate) fn since(time: Time, now: Timestamp) -> String {
    let local = time.0.to_zoned(TimeZone::system()).strftime("%Y/%m/%d %H:%M:%S %z").to_string();
    match ago(time, now) {
        Some(ago) => format!("{local} ({ago})"),
        None => local,
    }
}

/// `~ 5m ago`, for at most 25 hours.
pub(crate) fn ago(time: Time, now: Timestamp) -> Option<String> {
    let seconds = now.duration_since(time.0).as_secs().max(0);
    let text = match seconds {
        0..60 => format!("~ {seconds}s ago"),
        60..3600 => format!("~ {}m ago", seconds / 60),
        3600..90_000 => format!("~ {}h ago", seconds / 3600),
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_shrink_to_one_unit() {
        let now: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
        for (time, expected) in [
            ("2026-01-02T11:59:59Z", Some("~ 1s ago")),
            ("2026-01-02T11:55:10Z", Some("~ 4m ago")),
            ("2026-01-01T12:00:00Z", Some("~ 24h ago")),
            ("2026-01-01T10:00:00Z", None),
            ("2026-01-02T12:00:09Z", Some("~ 0s ago")),
        ] {
            let time = Time(time.parse().unwrap());
            assert_eq!(ago(time, now).as_deref(), expected);
        }
    }
}
