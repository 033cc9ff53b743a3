//! The error of everything that sets a container up: what was being done, and what the system
//! answered.

use std::error::Error as _;
use std::io;

/// A step that failed. Its own text is the step; the reason is its source.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}")]
pub struct Failure {
    doing: String,
    #[source]
    source: io::Error,
}

impl Failure {
    /// The whole story in one line, for those who get text only.
    pub fn story(&self) -> String {
        let mut story = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            story = format!("{story}: {cause}");
            source = cause.source();
        }
        story
    }

    /// What the system answered.
    pub fn reason(&self) -> &io::Error {
        &self.source
    }
}

/// Says what was being done when a result turned out an error.
pub(crate) trait Doing<T> {
    /// `step` completes the sentence "could not …".
    fn doing(self, step: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, step: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|source| Failure { doing: step.into(), source: source.into() })
    }
}
