//! Kigo's own certificate authority, and a listener that answers plain HTTP and TLS on one port.
//!
//! The authority is made at the first start and kept in the data directory; clients are told to
//! trust its `ca.pem`. Server certificates live in memory only: each start issues one, and a
//! running server replaces it long before it expires. The cryptography is aws-lc-rs, named
//! explicitly; the process-wide default provider is neither read nor set.
//!
//! This crate refuses to install anything into the system's trust store, to replace an authority
//! that it cannot read (clients trust the old one), and to choose a certificate by SNI: every
//! connection gets the same one, because `heroku run` sends no SNI.

mod authority;
mod certificates;
pub mod sniff;

pub use authority::AuthorityError;
pub use certificates::{Certificates, Config};
pub use sniff::{Peer, SniffListener, Stream};

use std::sync::Arc;

/// The one cryptography provider of Kigo.
pub fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
