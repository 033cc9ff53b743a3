//! Signed words that let their bearer read one app's log, as asked for when they were made.
//!
//! They carry everything, so that nothing has to be kept: an address made before a restart of the
//! server is good after it.

use crate::tail::Query;
use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{AppId, LogQuery};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a session may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub app: AppId,
    /// The dyno or process filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Only what somebody looks for, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<LogQuery>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    pub lines: usize,
    pub tail: bool,
    /// Not good from then on.
    pub expires: Timestamp,
}

impl Session {
    /// The query for a reader that comes for the first time. One that comes back sets `after`.
    pub fn query(&self) -> Query {
        Query {
            lines: self.lines,
            after: None,
            follow: self.tail,
            process: self.process.clone(),
            process_type: self.process_type.clone(),
            source: self.source.clone(),
            search: self.search.clone(),
            since: self.since,
            until: self.until,
        }
    }
}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Not made with this key, or changed since.
    #[error("the log session is not valid")]
    Invalid,
    #[error("the log session has expired")]
    Expired,
}

/// Makes the token: letters, digits, `-`, `_` and a dot, fit for an address.
pub fn sign(key: &[u8], session: &Session) -> String {
    let claims = serde_json::to_vec(session).unwrap_or_default();
    let tag = hmac::sign(&Key::new(HMAC_SHA256, key), &claims);
    format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims), BASE64_URL_SAFE_NO_PAD.encode(tag))
}

/// Checks a token and reads it.
pub fn verify(key: &[u8], token: &str, now: Timestamp) -> Result<Session, SessionError> {
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| SessionError::Invalid);
    let (claims, tag) = token.split_once('.').ok_or(SessionError::Invalid)?;
    let (claims, tag) = (decode(claims)?, decode(tag)?);
    hmac::verify(&Key::new(HMAC_SHA256, key), &claims, &tag).map_err(|_| SessionError::Invalid)?;
    let session: Session = serde_json::from_slice(&claims).map_err(|_| SessionError::Invalid)?;
    if session.expires <= now { Err(SessionError::Expired) } else { Ok(session) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            app: AppId::new(),
            process: Some("web.1".into()),
            process_type: None,
            source: Some("app".into()),
            search: Some(LogQuery::parse("-debug \"out of memory\"").unwrap()),
            since: None,
            until: None,
            lines: 100,
            tail: true,
            expires: Timestamp::from_second(1000).unwrap(),
        }
    }

    #[test]
    fn what_was_signed_is_what_is_read() {
        let token = sign(b"key", &session());
        let read = verify(b"key", &token, Timestamp::from_second(999).unwrap());
        assert_eq!(read.map(|read| read.process), Ok(Some("web.1".into())));
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{token}");
    }

    #[test]
    fn anything_else_is_refused() {
        let token = sign(b"key", &session());
        let now = Timestamp::from_second(999).unwrap();
        for bad in ["", ".", "a.b", &token[1..], &token[..token.len() - 2], &token.replacen('.', "A.", 1)] {
            assert_eq!(verify(b"key", bad, now), Err(SessionError::Invalid), "{bad}");
        }
        assert_eq!(verify(b"other", &token, now), Err(SessionError::Invalid));
        assert_eq!(verify(b"key", &token, Timestamp::from_second(1000).unwrap()), Err(SessionError::Expired));
    }
}
