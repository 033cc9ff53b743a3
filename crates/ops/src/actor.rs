//! Who asks, and what the token they came with lets them do.

use crate::{Error, Result};
use domain::{Account, Authorization};

/// A person who was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub account: Account,
    /// The authorization whose token was used; `None` for one who gave a password.
    pub authorization: Option<Authorization>,
}

/// What an intent needs of a token's scopes. The scopes are Heroku's: `global` allows everything,
/// `identity` one's own account, `read` and `write` everything but secrets, and their `-protected`
/// forms secrets as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// To see one's own account.
    Identity,
    Read,
    /// To see config vars and the like.
    ReadProtected,
    Write,
    /// To change config vars and run commands.
    WriteProtected,
    /// To change the account itself, its tokens and keys.
    Global,
}

impl Permission {
    /// The scopes that give it.
    pub fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Identity => &["global", "identity", "read", "write", "read-protected", "write-protected"],
            Self::Read => &["global", "read", "write", "read-protected", "write-protected"],
            Self::ReadProtected => &["global", "read-protected", "write-protected"],
            Self::Write => &["global", "write", "write-protected"],
            Self::WriteProtected => &["global", "write-protected"],
            Self::Global => &["global"],
        }
    }
}

/// The scopes there are.
pub(crate) const SCOPES: [&str; 6] =
    ["global", "identity", "read", "write", "read-protected", "write-protected"];

impl Actor {
    /// Refuses if the token's scopes do not give `permission`. A password gives everything.
    pub fn require(&self, permission: Permission) -> Result<()> {
        let Some(authorization) = &self.authorization else { return Ok(()) };
        let given = |scope: &String| permission.scopes().contains(&scope.as_str());
        if authorization.scope.iter().any(given) {
            return Ok(());
        }
        Err(Error::Forbidden(format!(
            "The scope of this OAuth authorization ({}) does not allow this; it needs one of: {}.",
            authorization.scope.join(", "),
            permission.scopes().join(", ")
        )))
    }

    /// Refuses everybody but the installation's administrator.
    pub(crate) fn require_admin(&self) -> Result<()> {
        if self.account.admin {
            Ok(())
        } else {
            Err(Error::Forbidden("Only the administrator of this installation may do this.".into()))
        }
    }
}
