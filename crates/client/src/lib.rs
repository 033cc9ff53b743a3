//! A typed client of the Platform API: each call of the API that Kigo's own CLI needs is one
//! method, with the shapes of the `wire` crate.
//!
//! Beside JSON it speaks what the API points to: log streams ([`logs`]), output streams and
//! one-off dynos ([`rendezvous`]). It refuses to print, to read environment variables or files of
//! credentials, and to send its token anywhere but to the origin it was made for.

mod backups;
mod error;
mod images;
pub mod logs;
mod partners;
mod platform;
pub mod rendezvous;
mod transport;
mod trust;
mod tunnels;

pub use error::{ClientError, SetUpError};
pub use transport::Client;
pub use tunnels::Tunnel;

use std::path::PathBuf;

/// Where the API is, and as whom to speak to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origin of the API, for example `http://localhost:5000`.
    pub api_url: String,
    /// Bearer token; without it only logging in works.
    pub token: Option<String>,
    /// A certificate authority to trust besides the system's, as PEM.
    pub authority: Option<PathBuf>,
    /// Goes out as `User-Agent`.
    pub user_agent: String,
}
