//! Signed words that let their bearer have one thing for a while: a backup, a way into a dashboard. They
//! carry everything, so that nothing has to be kept.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use std::fmt::Display;
use std::str::FromStr;

/// What the words are for. Signed as well, so that words for something else, made with the same key, are
/// none for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Downloading a backup.
    Backup,
    /// Getting into a partner's dashboard.
    Dashboard,
    /// Getting to an add-on's page from elsewhere.
    Link,
    /// Being there.
    Session,
    /// Sending a form that the page had.
    Form,
}

fn text(purpose: Purpose, what: &impl Display, expires: Timestamp) -> String {
    let purpose = match purpose {
        Purpose::Backup => "backup",
        Purpose::Dashboard => "dashboard",
        Purpose::Link => "addon-link",
        Purpose::Session => "addon-session",
        Purpose::Form => "addon-form",
    };
    format!("{purpose} {what} {}", expires.as_second())
}

/// Makes the words: letters, digits, `-`, `_` and dots, fit for an address. What they give must have no
/// dots in it.
pub(crate) fn sign(key: &[u8], purpose: Purpose, what: &impl Display, expires: Timestamp) -> String {
    let tag = hmac::sign(&Key::new(HMAC_SHA256, key), text(purpose, what, expires).as_bytes());
    format!("{what}.{}.{}", expires.as_second(), BASE64_URL_SAFE_NO_PAD.encode(tag))
}

/// What such words give, unless they are not good or not good any more.
pub(crate) fn verify<T: FromStr + Display>(
    key: &[u8],
    purpose: Purpose,
    token: &str,
    now: Timestamp,
) -> Option<T> {
    let mut parts = token.splitn(3, '.');
    let what: T = parts.next()?.parse().ok()?;
    let expires = Timestamp::from_second(parts.next()?.parse().ok()?).ok()?;
    let tag = BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
    hmac::verify(&Key::new(HMAC_SHA256, key), text(purpose, &what, expires).as_bytes(), &tag).ok()?;
    (now < expires).then_some(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::TransferId;

    fn verify(key: &[u8], token: &str, now: Timestamp) -> Option<TransferId> {
        super::verify(key, Purpose::Backup, token, now)
    }

    #[test]
    fn words_are_good_for_one_thing_until_they_expire() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let (one, two) = (TransferId::new(), TransferId::new());
        let token = sign(b"key", Purpose::Backup, &one, second(1000));
        assert_eq!(verify(b"key", &token, second(999)), Some(one));
        assert_eq!(verify(b"key", &token, second(1000)), None);
        let other: Option<TransferId> = super::verify(b"key", Purpose::Dashboard, &token, second(999));
        assert_eq!(other, None);
        assert_eq!(verify(b"other", &token, second(999)), None);
        let forged = token.replace(&one.to_string(), &two.to_string());
        assert_eq!(verify(b"key", &forged, second(999)), None);
        assert_eq!(verify(b"key", &token.replace(".1000.", ".2000."), second(999)), None);
        for bad in ["", ".", "..", "a.b.c"] {
            assert_eq!(verify(b"key", bad, second(0)), None, "{bad}");
        }
    }
}
