//! Signed words that let their bearer have one thing for a while. They carry everything, so that nothing has
//! to be kept.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;

/// What words are for. Signed as well, so that words for one thing, made with the same key, are none for
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Downloading a backup.
    Backup,
    /// Getting to an add-on's page from elsewhere.
    Link,
    /// Being there.
    Session,
    /// Sending a form that the page had.
    Form,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Link => "addon-link",
            Self::Session => "addon-session",
            Self::Form => "addon-form",
        }
    }
}

fn text(purpose: Purpose, subject: &str, expires: Timestamp) -> String {
    format!("{} {subject} {}", purpose.word(), expires.as_second())
}

/// Makes the words: those of `subject`, which has no dots and is fit for an address, and letters, digits, `-`,
/// `_` and dots.
pub(crate) fn sign(key: &[u8], purpose: Purpose, subject: &str, expires: Timestamp) -> String {
    let tag = hmac::sign(&Key::new(HMAC_SHA256, key), text(purpose, subject, expires).as_bytes());
    format!("{subject}.{}.{}", expires.as_second(), BASE64_URL_SAFE_NO_PAD.encode(tag))
}

/// The subject of such words, unless they are not good or not good any more.
pub(crate) fn verify<'t>(key: &[u8], purpose: Purpose, token: &'t str, now: Timestamp) -> Option<&'t str> {
    let mut parts = token.splitn(3, '.');
    let subject = parts.next()?;
    let expires = Timestamp::from_second(parts.next()?.parse().ok()?).ok()?;
    let tag = BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
    hmac::verify(&Key::new(HMAC_SHA256, key), text(purpose, subject, expires).as_bytes(), &tag).ok()?;
    (now < expires).then_some(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_good_for_one_thing_until_they_expire() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let verify = |key: &[u8], token: &str, now| {
            verify(key, Purpose::Backup, token, second(now)).map(str::to_owned)
        };
        let token = sign(b"key", Purpose::Backup, "one", second(1000));
        assert_eq!(verify(b"key", &token, 999).as_deref(), Some("one"));
        assert_eq!(verify(b"key", &token, 1000), None);
        assert_eq!(verify(b"other", &token, 999), None);
        assert_eq!(verify(b"key", &token.replace("one", "two"), 999), None);
        assert_eq!(verify(b"key", &token.replace(".1000.", ".2000."), 999), None);
        let other = sign(b"key", Purpose::Link, "one", second(1000));
        assert_eq!(verify(b"key", &other, 999), None);
        for bad in ["", ".", "..", "a.b.c"] {
            assert_eq!(verify(b"key", bad, 0), None, "{bad}");
        }
    }
}
