//! Checks and phrases that several operations share.

use crate::{Error, Result};
use domain::Account;

/// Refuses a text that is empty, too long or carries control characters other than those in `allow`.
pub(crate) fn check(what: &str, text: &str, max: usize, allow: &[char]) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(format!("{what} can't be blank.")));
    }
    if text.len() > max {
        return Err(Error::invalid(format!("{what} is too long (at most {max} bytes).")));
    }
    if text.chars().any(|c| c.is_control() && !allow.contains(&c)) {
        return Err(Error::invalid(format!("{what} must not contain control characters.")));
    }
    Ok(())
}

/// `What by user EMAIL`, as the app's log says it.
pub(crate) fn by(user: &Account, what: impl std::fmt::Display) -> String {
    format!("{what} by user {}", user.email)
}

/// How a version of some source appears in a release's description: eight digits of a commit, as
/// Heroku shows it, or the start of another name.
pub(crate) fn short_version(version: &str) -> String {
    // Versions may have several lines; descriptions and log lines have one.
    let version = version.split(char::is_control).next().unwrap_or_default();
    let is_commit = version.len() >= 8 && version.bytes().all(|b| b.is_ascii_hexdigit());
    version.chars().take(if is_commit { 8 } else { 40 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, short) in [
            ("954ab53189cd7d8e4e0f2ab0e0e8f2b3d6d3f9aa", "954ab531"),
            ("v1.2.3", "v1.2.3"),
            ("abc", "abc"),
            ("v1\nDeploy of something else", "v1"),
            ("release of the whole shebang, with many words", "release of the whole shebang, with many "),
        ] {
            assert_eq!(short_version(version), short);
        }
    }

    #[test]
    fn texts() {
        for (text, good) in
            [("a b", true), ("", false), ("a\nb", false), ("a\0b", false), ("12345678901", false)]
        {
            assert_eq!(check("It", text, 10, &[]).is_ok(), good, "{text:?}");
        }
        assert!(check("It", "a\nb", 10, &['\n']).is_ok());
    }
}
