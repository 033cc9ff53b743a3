//! Why an operation did not happen, in the classes of the Platform API.

use domain::NameError;
use std::io::{self, ErrorKind};
use store::StoreError;

/// A refusal. Each class has a fixed HTTP status and error id; the message is meant for the user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 400 `bad_request`: the request makes no sense as a whole.
    #[error("{0}")]
    BadRequest(String),
    /// 401 `unauthorized`: nobody knows who asks.
    #[error("{0}")]
    Unauthorized(String),
    /// 403 `forbidden`: it is known who asks, and they may not.
    #[error("{0}")]
    Forbidden(String),
    /// 404 `not_found`.
    #[error("{message}")]
    NotFound {
        /// The kind of thing that was not found, e.g. `app`; the CLI looks at it.
        resource: &'static str,
        message: String,
    },
    /// 409 `conflict`: it would be possible at another time.
    #[error("{0}")]
    Conflict(String),
    /// 422 `invalid_params`.
    #[error("{0}")]
    InvalidParams(String),
    /// 423 `confirmation_required`: it is done for who repeats the name of the app.
    #[error("{message}")]
    ConfirmationRequired {
        /// What is to be repeated.
        name: String,
        message: String,
    },
    /// 429 `rate_limit`.
    #[error("Your account reached the API rate limit. Please wait a few minutes before making new requests.")]
    RateLimit,
    /// 500 `internal_server_error`: not the user's doing. The cause goes to the operator's log, not
    /// into the answer.
    #[error("The server could not do this because of a fault of its own. Please try again.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// 507 `insufficient_storage`: the disk is full; nothing was changed.
    #[error("{DISK_FULL}")]
    DiskFull,
}

/// What users are told when the disk is full.
pub const DISK_FULL: &str =
    "The disk of this server is full, so nothing was changed. Whoever runs the server has to make room.";

/// Whether an error was caused by a full disk.
pub fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
            || error.downcast_ref::<StoreError>().is_some_and(StoreError::is_disk_full)
            || matches!(error.downcast_ref(), Some(Error::DiskFull))
        {
            return true;
        }
        // What `io::Error::other` wraps is not its source, but what it is.
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

impl Error {
    /// `Couldn't find that app.`
    pub(crate) fn not_found(resource: &'static str) -> Self {
        Self::NotFound { resource, message: format!("Couldn't find that {}.", resource.replace('_', " ")) }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidParams(message.into())
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Unauthorized(_) => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound { .. } => 404,
            Self::Conflict(_) => 409,
            Self::InvalidParams(_) => 422,
            Self::ConfirmationRequired { .. } => 423,
            Self::RateLimit => 429,
            Self::Internal(_) => 500,
            Self::DiskFull => 507,
        }
    }

    /// The `id` of the error's JSON.
    pub fn id(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Conflict(_) => "conflict",
            Self::InvalidParams(_) => "invalid_params",
            Self::ConfirmationRequired { .. } => "confirmation_required",
            Self::RateLimit => "rate_limit",
            Self::Internal(_) => "internal_server_error",
            Self::DiskFull => "insufficient_storage",
        }
    }

    /// The `resource` of the error's JSON.
    pub fn resource(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { resource, .. } => Some(resource),
            _ => None,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if error.is_disk_full() { Self::DiskFull } else { Self::Internal(Box::new(error)) }
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::InvalidParams(error.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_full_disk_is_found_however_deep_it_lies() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        assert!(is_disk_full(&full()));
        assert!(is_disk_full(&Outer(full())));
        assert!(is_disk_full(&io::Error::other(Outer(io::Error::other(full())))));
        assert!(is_disk_full(&Error::Internal(Box::new(Outer(full())))));
        assert!(is_disk_full(&Error::DiskFull));
        assert!(!is_disk_full(&Outer(io::Error::from(ErrorKind::NotFound))));
        assert!(!is_disk_full(&Error::RateLimit));
    }
}
