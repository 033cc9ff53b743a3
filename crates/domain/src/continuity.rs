//! What add-ons are made from or follow, and how far back their data can be had.

use crate::AddonId;
use jiff::{SignedDuration, Timestamp};

/// Days; more than anybody's past.
const LONGEST: i64 = 36_500;

/// How an add-on came to what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginKind {
    /// It began as another one was at a moment, and went its own way.
    Fork,
    /// It is what another one is, all the time, and cannot be written to.
    Follow,
}

impl OriginKind {
    /// As it is stored, and as the option is called that asks for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Follow => "follow",
        }
    }

    /// Reads what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Fork, Self::Follow].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// That an add-on has its data from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub addon: AddonId,
    pub kind: OriginKind,
    /// May be gone.
    pub source: AddonId,
    /// The moment at which a fork began; `None` for that at which it was made.
    pub to: Option<Timestamp>,
}

/// What is kept of an add-on's past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    pub addon: AddonId,
    /// When the last whole copy of its data was finished. All changes since then are kept beside it.
    pub taken_at: Option<Timestamp>,
    /// The first moment that can be had again.
    pub earliest: Option<Timestamp>,
    /// Bytes of all that is kept.
    pub bytes: u64,
    /// Why changes cannot be kept at the moment, or the last copy could not be made.
    pub failure: Option<String>,
    /// Copies in a row that could not be made.
    pub attempts: u32,
    /// Not before then is the next one made.
    pub retry_at: Option<Timestamp>,
}

impl Archive {
    /// That of an add-on of which nothing is kept yet.
    pub fn new(addon: AddonId) -> Self {
        Self { addon, taken_at: None, earliest: None, bytes: 0, failure: None, attempts: 0, retry_at: None }
    }

    /// The first moment that its owner is promised, with a plan of so many days.
    pub fn promised(&self, days: u64, now: Timestamp) -> Option<Timestamp> {
        let days = i64::try_from(days).unwrap_or(i64::MAX).min(LONGEST);
        let window = now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN);
        self.earliest.map(|earliest| earliest.max(window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_beyond_the_plan_nor_beyond_what_is_kept() {
        let at = |day: i64| Timestamp::from_second(day * 86_400).expect("a time");
        let archive = |earliest| Archive { earliest, ..Archive::new(AddonId::new()) };
        for (earliest, promised) in [(None, None), (Some(90), Some(96)), (Some(98), Some(98))] {
            let earliest = earliest.map(at);
            assert_eq!(archive(earliest).promised(4, at(100)), promised.map(at));
        }
    }
}
