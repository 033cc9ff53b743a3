//! What is found out about a database when somebody asks how it is.

use crate::{AddonId, ReportId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    /// It was not made.
    Skipped,
    Green,
    /// To be looked at.
    Yellow,
    /// To be seen to.
    Red,
}

impl Light {
    /// As users read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }

    /// Reads what a server was asked to say; what it is not asked for is no light.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Skipped, Self::Green, Self::Yellow, Self::Red].into_iter().find(|light| light.as_str() == text)
    }
}

/// One thing that was found: names and values in the order in which they are read.
pub type Finding = Vec<(String, String)>;

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `Hit Rate`.
    pub name: String,
    pub light: Light,
    pub found: Vec<Finding>,
}

impl Check {
    /// One that was not made, with the reason.
    pub fn skipped(name: &str, why: &str) -> Self {
        let found = vec![vec![("error".to_owned(), why.to_owned())]];
        Self { name: name.to_owned(), light: Light::Skipped, found }
    }
}

/// All checks of a database at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub id: ReportId,
    pub addon: AddonId,
    /// The app that it was asked for, as it was called then.
    pub app: String,
    /// How whoever asked knows the database: a config var's name.
    pub database: String,
    pub checks: Vec<Check>,
    pub created_at: Timestamp,
}
