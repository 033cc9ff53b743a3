//! Ranges of versions, as people write them, and the lines of Node.js.

use jiff::civil::{Date, date};
use nodejs_semver::{Range, Version};

/// What an app gets that asks for nothing, and at most for a range over several major versions: the
/// long-term support line that most packages' authors have tested with.
pub(super) const LONG_TERM: &str = "24.x";

/// Long-term support lines by their code names, newest first (nodejs/Release).
const LINES: [(&str, &str); 11] = [
    ("krypton", "24.x"),
    ("jod", "22.x"),
    ("iron", "20.x"),
    ("hydrogen", "18.x"),
    ("gallium", "16.x"),
    ("fermium", "14.x"),
    ("erbium", "12.x"),
    ("dubnium", "10.x"),
    ("carbon", "8.x"),
    ("boron", "6.x"),
    ("argon", "4.x"),
];

/// When lines end that get fixes, or got them lately (nodejs/Release). Older ones have ended.
const ENDS: [(u64, Date); 7] = [
    (20, date(2026, 4, 30)),
    (21, date(2024, 6, 1)),
    (22, date(2027, 4, 30)),
    (23, date(2025, 6, 1)),
    (24, date(2028, 4, 30)),
    (25, date(2026, 6, 1)),
    (26, date(2029, 4, 30)),
];

/// Since when a line of Node.js gets no fixes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    On(Date),
    LongAgo,
}

/// Whether the line with this major version has ended.
pub(super) fn ended(major: u64, today: Date) -> Option<Ended> {
    match ENDS.iter().find(|(line, _)| *line == major) {
        Some((_, end)) => (*end < today).then_some(Ended::On(*end)),
        None => (major < ENDS[0].0).then_some(Ended::LongAgo),
    }
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) range: Range,
    /// Whether the newest of all is meant, and not just allowed.
    is_newest: bool,
}

impl Wish {
    /// A version of Node.js: a range as npm has it, or a name that version managers know.
    pub(super) fn of_node(asked: &str) -> Option<Self> {
        let name = asked.trim().to_ascii_lowercase();
        let line = name.strip_prefix("lts/").unwrap_or(&name);
        let is_newest = ["latest", "current", "node", "stable"].contains(&name.as_str());
        let alias = match name.as_str() {
            _ if is_newest => Some("*"),
            "lts" | "lts/*" => Some(LONG_TERM),
            _ => LINES.iter().find(|(code, _)| *code == line).map(|(_, range)| *range),
        };
        let range = Range::parse(alias.unwrap_or(asked)).ok()?;
        Some(Self { range, is_newest })
    }

    /// Whether it allows versions of another line as well, so that a new one would come by itself.
    pub(super) fn is_wide(&self, version: &Version) -> bool {
        let major = version.major();
        let neighbours = [major.checked_sub(1), major.checked_add(1)];
        let allows = |major: u64| self.range.satisfies(&Version::from((major, 0, 0)));
        !self.is_newest && neighbours.into_iter().flatten().any(allows)
    }
}

/// The range of versions of anything else.
pub(super) fn range(asked: &str) -> Option<Range> {
    match asked.trim() {
        "latest" => Some(Range::any()),
        asked => Range::parse(asked).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end() {
        let today = date(2026, 5, 1);
        for (major, expected) in [
            (0, Some(Ended::LongAgo)),
            (18, Some(Ended::LongAgo)),
            (20, Some(Ended::On(date(2026, 4, 30)))),
            (22, None),
            (25, None),
            (99, None),
        ] {
            assert_eq!(ended(major, today), expected, "{major}");
        }
        assert_eq!(ended(20, date(2026, 4, 30)), None);
    }

    #[test]
    fn the_long_term_line_is_one_that_is_known() {
        assert_eq!(LINES[0].1, LONG_TERM);
        assert!(ENDS.is_sorted());
    }

    #[test]
    fn a_wide_wish_allows_other_lines() {
        for (asked, version, wide) in [
            (">=18", "26.10.0", true),
            ("*", "26.10.0", true),
            ("18 || 20", "20.1.0", false),
            ("22 || 23", "23.1.0", true),
            ("22.x", "22.1.0", false),
            (">=22.1 <23", "22.9.0", false),
            ("latest", "26.10.0", false),
        ] {
            let wish = Wish::of_node(asked).unwrap();
            assert_eq!(wish.is_wide(&Version::parse(version).unwrap()), wide, "{asked}");
        }
        assert!(Wish::of_node("twenty").is_none());
    }
}
