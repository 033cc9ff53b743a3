//! Searches of a log that are kept by name, and what is sent when they find something.

use crate::{AddonId, BatchId, LogQuery, NameError, SearchId};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::str::FromStr;

/// A search that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    pub id: SearchId,
    pub addon: AddonId,
    /// Unique at its add-on.
    pub name: String,
    pub query: LogQuery,
    pub alert: Option<Alert>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Who is told of what a search finds, and how far that is.
#[derive(Clone, PartialEq, Eq)]
pub struct Alert {
    pub period: Period,
    pub to: Recipient,
    /// The last line that was looked at: its id in the app's log.
    pub seen: u64,
    pub checked_at: Timestamp,
    /// What was found and is not sent yet.
    pub batch: Option<Batch>,
    /// When something was last sent.
    pub sent_at: Option<Timestamp>,
    /// Why the last thing that was to be sent was not.
    pub failure: Option<String>,
}

impl fmt::Debug for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses of webhooks are secrets.
        f.debug_struct("Alert")
            .field("period", &self.period)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// Where an alert goes.
#[derive(Clone, PartialEq, Eq)]
pub enum Recipient {
    /// It is posted to this address.
    Webhook(String),
    Email(String),
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Webhook(_) => "Webhook",
            Self::Email(_) => "Email",
        })
    }
}

impl Recipient {
    /// Reads what was stored.
    pub fn parse(kind: &str, address: String) -> Option<Self> {
        match kind {
            "webhook" => Some(Self::Webhook(address)),
            "email" => Some(Self::Email(address)),
            _ => None,
        }
    }

    /// As it is stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
        }
    }

    pub fn address(&self) -> &str {
        match self {
            Self::Webhook(address) | Self::Email(address) => address,
        }
    }
}

/// Lines that one alert is about: those that match from one line, exclusive, up to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The same in every attempt to send it.
    pub id: BatchId,
    pub after: u64,
    pub until: u64,
    pub attempts: u32,
    /// Not before then is it tried again.
    pub retry_at: Option<Timestamp>,
}

/// How often a search is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Minute,
    Hour,
    Day,
}

impl Period {
    const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Reads that word. The error is meant for the user.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let found = Self::ALL.into_iter().find(|period| period.as_str() == text);
        found.ok_or_else(|| {
            NameError(format!("An alert comes every minute, hour or day, not every {text:?}."))
        })
    }

    /// How long that is.
    pub fn length(self) -> SignedDuration {
        match self {
            Self::Minute => SignedDuration::from_mins(1),
            Self::Hour => SignedDuration::from_hours(1),
            Self::Day => SignedDuration::from_hours(24),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Period {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}
