//! The registry: repositories of images that clients push and pull.
//!
//! A repository belongs to an app: `APP`, or `APP/ANYTHING`. The rules for names are those of the
//! OCI distribution specification 1.1 (`<name>`, `<tag-or-digest>`).

use crate::{AppId, AppName, Digest, NameError, RepositoryId, UploadId};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// Bytes of a repository's name, as clients count them.
const MAX_NAME: usize = 200;

/// A repository as clients name it: an app, and what follows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName {
    pub app: AppName,
    /// Without a slash at the start; empty for the app's name alone.
    pub rest: String,
}

impl RepositoryName {
    /// Parses `APP` or `APP/ANYTHING`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bad = |why: &str| NameError(format!("The repository name {text:?} is not valid: {why}"));
        if text.len() > MAX_NAME {
            return Err(bad(&format!("it is longer than {MAX_NAME} characters.")));
        }
        let (app, rest) = text.split_once('/').unwrap_or((text, ""));
        let app = AppName::parse(app)
            .map_err(|_| bad("it has to start with the name of an app, as in my-app/web."))?;
        let slash_at_end = text.contains('/') && rest.is_empty();
        if slash_at_end || (!rest.is_empty() && !rest.split('/').all(is_component)) {
            return Err(bad(
                "between slashes stand lowercase letters and digits, separated by `.`, `_`, `__` or dashes.",
            ));
        }
        Ok(Self { app, rest: rest.to_owned() })
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rest.as_str() {
            "" => self.app.fmt(f),
            rest => write!(f, "{}/{rest}", self.app),
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(|b| word(*b)) && bytes.last().is_some_and(|b| word(*b));
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && separators
        .filter(|separator| !separator.is_empty())
        .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// Parses a tag.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let good = (1..=128).contains(&text.len())
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'));
        if good {
            return Ok(Self(text.to_owned()));
        }
        Err(NameError(format!(
            "{text:?} is no tag: use 1 to 128 letters, digits, `_`, `.` or `-`, not starting with `.` or `-`."
        )))
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Tag {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// How a manifest is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Tag(Tag),
    Digest(Digest),
}

impl Reference {
    /// Parses a tag or a digest.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.contains(':') { text.parse().map(Self::Digest) } else { Tag::parse(text).map(Self::Tag) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// A repository that something was pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    pub id: RepositoryId,
    pub app: AppId,
    /// What follows the app's name, see [`RepositoryName::rest`].
    pub rest: String,
    pub created_at: Timestamp,
}

/// A manifest in a repository. Its text is the blob of the same digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub repository: RepositoryId,
    pub digest: Digest,
    pub media_type: String,
    /// Bytes of the text.
    pub size: u64,
    /// Digest of the image's config, by which clients of Docker know an image.
    pub config: Option<Digest>,
    /// What kind of artifact it is, as a list of referrers tells it.
    pub artifact_type: Option<String>,
    /// The manifest that this one is about.
    pub subject: Option<Digest>,
    pub annotations: BTreeMap<String, String>,
    /// When it was pushed, or lost a tag, last. What nothing refers to is kept for a while from then.
    pub touched_at: Timestamp,
}

/// A blob that belongs to a repository, so that who may read that may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryBlob {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// When somebody pushed it or asked for it last.
    pub touched_at: Timestamp,
}

/// A blob on its way into a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    pub id: UploadId,
    pub repository: RepositoryId,
    /// For how many bytes, in all, it has been promised room.
    pub reserved: u64,
    pub touched_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_of_an_app() {
        for (text, app, rest) in [
            ("blog", "blog", ""),
            ("blog/web", "blog", "web"),
            ("my-blog/a/b_c/d__e/f.g/h---i/0", "my-blog", "a/b_c/d__e/f.g/h---i/0"),
        ] {
            let name = RepositoryName::parse(text).unwrap();
            assert_eq!((name.app.as_str(), name.rest.as_str(), name.to_string().as_str()), (app, rest, text));
        }
        let long = format!("blog/{}", "a".repeat(200));
        for bad in [
            "",
            "/",
            "blog/",
            "/web",
            "ab",
            "Blog",
            "blog//web",
            "blog/Web",
            "blog/_a",
            "blog/a_",
            "blog/a..b",
            "blog/a___b",
            "blog/a._b",
            "blog/..",
            "blog/a b",
            "blog/\u{e9}",
            &long,
        ] {
            assert!(RepositoryName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tags_and_digests_are_told_apart() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(Reference::parse("latest").unwrap().to_string(), "latest");
        assert!(matches!(Reference::parse(&digest).unwrap(), Reference::Digest(_)));
        assert!(matches!(Reference::parse("V1.0-rc_1").unwrap(), Reference::Tag(_)));
        let long = "a".repeat(129);
        for bad in ["", ".a", "-a", "a/b", "a b", "sha256:abc", "sha512:abc", "a:b", &long] {
            assert!(Reference::parse(bad).is_err(), "{bad:?}");
        }
    }
}
