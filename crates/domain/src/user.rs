//! Accounts and what lets them in.

use crate::{AccountId, AuthorizationId};
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

/// An OAuth authorization without its secret: the token is stored only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub id: AuthorizationId,
    pub account: AccountId,
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
