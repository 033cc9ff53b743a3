//! Accounts and what lets them in.

use crate::{AccountId, AuthorizationId, KeyId};
use jiff::Timestamp;

/// A person who can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// Lower-cased e-mail address; unique.
    pub email: String,
    /// Display name, if the person gave one.
    pub name: Option<String>,
    /// The first account is the administrator of the installation.
    pub admin: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_login: Option<Timestamp>,
}

/// How an authorization came to be, which decides where it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthorizationKind {
    /// Made with a password or another token.
    Direct,
    /// The account's long-lived API key, which `~` names; logging out leaves it alone.
    Default,
    /// Made by logging in with a browser; listed among the sessions.
    Session,
}

impl AuthorizationKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Default => "default",
            Self::Session => "session",
        }
    }

    /// Reads that word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Direct, Self::Default, Self::Session].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An OAuth authorization without its secret: the token is stored only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub id: AuthorizationId,
    pub account: AccountId,
    pub kind: AuthorizationKind,
    pub description: String,
    /// Scopes as Heroku names them: `global`, `identity`, `read`, `write`, `read-protected`,
    /// `write-protected`.
    pub scope: Vec<String>,
    /// The last characters of the token, by which a person recognises it in a list.
    pub token_hint: String,
    /// Id of the access-token resource inside the authorization.
    pub token_id: uuid::Uuid,
    /// When the token stops working; `None` is never.
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An SSH public key of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshKey {
    pub id: KeyId,
    pub account: AccountId,
    /// `type base64`, without the comment.
    pub public_key: String,
    /// What stood behind the key, often `user@host`; may be empty.
    pub comment: String,
    /// `SHA256:` and unpadded base64, as `ssh-keygen -l` prints it; unique.
    pub fingerprint: String,
    /// MD5 in hex with colons, as older tools and the Platform API print it.
    pub fingerprint_md5: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
