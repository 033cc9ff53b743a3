//! What can go wrong between a program and the API.

use std::path::PathBuf;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The origin is not one.
    #[error("{0:?} is not the address of an API: it should look like http://localhost:5000")]
    Address(String),
    /// The file with the certificate authority cannot be read.
    #[error("cannot read the certificate authority {}", path.display())]
    Authority { path: PathBuf, source: rustls::pki_types::pem::Error },
    /// The TLS library refused its settings.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refused its settings.
    #[error("cannot set up HTTP")]
    Http(#[source] reqwest::Error),
    /// The token has characters that no token has.
    #[error("the token has characters that cannot be sent")]
    Token,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The API answered with an error.
    #[error("{}", .error.message)]
    Api { status: u16, error: wire::Error },
    /// The API answered with an error that is not the API's: perhaps something else answers there.
    #[error("{url} answered with status {status}, and not as a Platform API does")]
    Foreign { url: String, status: u16 },
    /// The API could not be reached, or broke off.
    #[error("cannot reach {url}")]
    Transport { url: String, source: reqwest::Error },
    /// The answer has another shape than expected.
    #[error("cannot understand the answer of {url}")]
    Shape { url: String, source: serde_json::Error },
    /// A log stream ended before its time, and did not come back.
    #[error("the log stream ended: {0}")]
    LogStream(String),
    /// A one-off dyno could not be attached to.
    #[error("cannot attach to the dyno: {0}")]
    Attach(String),
}

impl ClientError {
    /// The status that the API answered with, if it did.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } | Self::Foreign { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The word for programs in the API's error, for example `not_found`.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Api { error, .. } => Some(&error.id),
            _ => None,
        }
    }
}
