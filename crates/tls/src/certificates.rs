//! The server's certificate: issued at start, replaced while the server runs.

use crate::authority::{Authority, AuthorityError};
use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a server certificate is valid. Short, because replacing it costs nobody anything.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);
/// A certificate with less than this left is replaced.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How often a running server looks.
const CHECK_EVERY: Duration = Duration::from_hours(1);

/// What the certificate is for.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the authority is kept (`DATA/ca`).
    pub directory: PathBuf,
    /// Apps are hosts below this domain; the certificate names it and `*.` of it.
    pub base_domain: String,
    /// Further DNS names or addresses by which clients reach the API, git and rendezvous.
    pub host_names: Vec<String>,
}

/// The authority and the certificate in use. Clones share both.
#[derive(Clone)]
pub struct Certificates {
    shared: Arc<Shared>,
}

struct Shared {
    authority: Authority,
    names: Vec<String>,
    current: Current,
}

/// The certificate that handshakes use from now on, and its end.
#[derive(Debug)]
struct Current(Arc<ArcSwap<(Arc<CertifiedKey>, Timestamp)>>);

impl Certificates {
    /// Opens the authority, making it at the first start, and issues the server's certificate.
    pub fn open(config: &Config, now: Timestamp) -> Result<Self, AuthorityError> {
        let authority = Authority::open(&config.directory, now)?;
        let names = names(config);
        let first = issue(&authority, &names, now)?;
        let current = Current(Arc::new(ArcSwap::from_pointee(first)));
        Ok(Self { shared: Arc::new(Shared { authority, names, current }) })
    }

    /// The file that clients must trust (`NODE_EXTRA_CA_CERTS`, `GIT_SSL_CAINFO`, `curl --cacert`).
    pub fn authority_path(&self) -> &Path {
        self.shared.authority.certificate_path()
    }

    /// The certificate in that file.
    pub fn authority_certificate(&self) -> &CertificateDer<'static> {
        self.shared.authority.certificate()
    }

    /// TLS settings that always present the certificate in use. `alpn` lists the protocols that
    /// the listener speaks, best first; empty for none.
    pub fn server_config(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, AuthorityError> {
        let mut config = ServerConfig::builder_with_provider(crate::provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Current(self.shared.current.0.clone())));
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// Replaces the certificate if it ends soon; says whether it did.
    pub fn renew_if_due(&self, now: Timestamp) -> Result<bool, AuthorityError> {
        if self.shared.current.0.load().1 > now + RENEW_BEFORE {
            return Ok(false);
        }
        self.shared.current.0.store(Arc::new(issue(&self.shared.authority, &self.shared.names, now)?));
        Ok(true)
    }

    /// Keeps the certificate fresh for as long as this future is polled.
    pub async fn keep_fresh(&self) {
        let mut timer = tokio::time::interval(CHECK_EVERY);
        loop {
            timer.tick().await;
            match self.renew_if_due(Timestamp::now()) {
                Ok(true) => tracing::info!("server certificate renewed"),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "server certificate not renewed"),
            }
        }
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().0.clone())
    }
}

fn issue(
    authority: &Authority,
    names: &[String],
    now: Timestamp,
) -> Result<(Arc<CertifiedKey>, Timestamp), AuthorityError> {
    let issued = authority.issue(names, now, LIFETIME)?;
    let key = CertifiedKey::from_der(issued.chain, issued.key, &crate::provider())?;
    Ok((Arc::new(key), issued.not_after))
}

/// Every name a client may use, once each.
fn names(config: &Config) -> Vec<String> {
    let base = config.base_domain.trim_end_matches('.').to_ascii_lowercase();
    let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names: Vec<String> = own.into_iter().chain([base.clone(), format!("*.{base}")]).collect();
    names.extend(config.host_names.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
