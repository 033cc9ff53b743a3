//! The npm registry, from which language runtimes come: which versions there are, and their
//! archives. Answers about versions are kept on disk; for a while they are not asked for again, and
//! when the registry does not answer an old answer is used.

use crate::cache;
use crate::errors::{OPERATOR, Words, chain};
use crate::host::Npmrc;
use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderValue, IF_NONE_MATCH};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

/// How long an answer about versions is taken as it is.
const FRESH: SignedDuration = SignedDuration::from_mins(30);

/// Bytes of an answer about versions, and of an archive, at most.
const DOCUMENT_LIMIT: usize = 64 << 20;
const ARCHIVE_LIMIT: u64 = 512 << 20;

/// Why the registry could not help.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("cannot reach {address}")]
    Unreachable {
        address: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{address} answered {status}")]
    Status { address: String, status: u16 },
    #[error("{address} answered with something that is no package: {why}")]
    NotAPackage { address: String, why: String },
    #[error("the archive {address} is not the one that the registry describes")]
    Integrity { address: String },
    #[error("the archive {address} is too large")]
    TooLarge { address: String },
    #[error("cannot keep what the registry answered")]
    Disk(#[source] std::io::Error),
}

impl RegistryError {
    pub(crate) fn words(&self) -> Words {
        Words::new("The npm registry could not be used.", chain(self), OPERATOR)
    }
}

/// A version of a package.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Release {
    #[serde(default)]
    pub(crate) engines: Engines,
    pub(crate) dist: Dist,
}

/// What a package runs on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "serde_json::Value")]
pub(crate) struct Engines {
    pub(crate) node: Option<String>,
}

impl From<serde_json::Value> for Engines {
    /// Old packages have a list here, which says nothing.
    fn from(value: serde_json::Value) -> Self {
        Self { node: value.get("node").and_then(|node| node.as_str()).map(str::to_owned) }
    }
}

/// Where a version's archive is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Dist {
    pub(crate) tarball: String,
    /// Subresource Integrity (W3C): algorithm and base64 of the hash, several set apart by spaces.
    pub(crate) integrity: Option<String>,
}

/// All versions of a package.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Package {
    pub(crate) versions: BTreeMap<String, Release>,
}

/// An answer that was kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The address it came from: another registry may answer otherwise.
    address: String,
    at: Timestamp,
    etag: Option<String>,
    package: Package,
}

/// A client of one registry.
pub(crate) struct Registry<'a> {
    npmrc: &'a Npmrc,
    directory: PathBuf,
    client: reqwest::Client,
}

impl<'a> Registry<'a> {
    pub(crate) fn new(npmrc: &'a Npmrc, data: &Path) -> Result<Self, RegistryError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("kigo/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(Duration::from_mins(1))
            .build()
            .map_err(|source| RegistryError::Unreachable { address: npmrc.registry(), source })?;
        Ok(Self { npmrc, directory: cache::registry(data), client })
    }

    /// All versions of the package `name`.
    pub(crate) async fn package(&self, name: &str) -> Result<Package, RegistryError> {
        // Of a name with a scope, `@scope/name`, the slash is part of the name.
        let path = self.directory.join(format!("{}.json", name.replace('/', "+")));
        let address = format!("{}{}", self.npmrc.registry(), name.replace('/', "%2f"));
        let kept = cache::read::<Kept>(&path);
        let kept = kept.filter(|kept| kept.address == address);
        let age = |kept: &Kept| Timestamp::now().duration_since(kept.at);
        if let Some(kept) = kept.as_ref().filter(|kept| (SignedDuration::ZERO..FRESH).contains(&age(kept))) {
            return Ok(kept.package.clone());
        }
        let etag = kept.as_ref().and_then(|kept| kept.etag.clone());
        let fetched = self.fetch_package(&address, etag).await;
        let fresh = match (fetched, kept) {
            (Ok(None), Some(kept)) => Kept { at: Timestamp::now(), ..kept },
            (Ok(None), None) => {
                return Err(RegistryError::Status { address, status: 304 });
            }
            (Ok(Some((package, etag))), _) => Kept { address, at: Timestamp::now(), etag, package },
            (Err(error), Some(kept)) => {
                tracing::warn!(
                    error = chain(&error),
                    package = name,
                    "an old answer of the registry is used"
                );
                return Ok(kept.package);
            }
            (Err(error), None) => return Err(error),
        };
        cache::write(&path, &fresh).map_err(RegistryError::Disk)?;
        Ok(fresh.package)
    }

    /// `None` when it has not changed since the answer with that `etag`.
    async fn fetch_package(
        &self,
        address: &str,
        etag: Option<String>,
    ) -> Result<Option<(Package, Option<String>)>, RegistryError> {
        // The short form of the document, as npm itself asks for it.
        let accept = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
        let mut request = self.request(address).header(ACCEPT, accept);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut response = self.send(request, address).await?;
        if response.status() == reqwest::StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let bad = |why: String| RegistryError::NotAPackage { address: address.to_owned(), why };
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable(address))? {
            body.extend_from_slice(&piece);
            if body.len() > DOCUMENT_LIMIT {
                return Err(bad("it is too long".into()));
            }
        }
        let package = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
        Ok(Some((package, etag)))
    }

    /// Downloads an archive into an unnamed place below the data directory and checks it.
    pub(crate) async fn archive(&self, dist: &Dist) -> Result<NamedTempFile, RegistryError> {
        let address = &dist.tarball;
        let mut response = self.send(self.request(address), address).await?;
        std::fs::create_dir_all(&self.directory).map_err(RegistryError::Disk)?;
        let mut file = NamedTempFile::new_in(&self.directory).map_err(RegistryError::Disk)?;
        let mut hash = Sha512::new();
        let mut size = 0;
        while let Some(piece) = response.chunk().await.map_err(unreachable(address))? {
            size += piece.len() as u64;
            if size > ARCHIVE_LIMIT {
                return Err(RegistryError::TooLarge { address: address.clone() });
            }
            hash.update(&piece);
            file.write_all(&piece).map_err(RegistryError::Disk)?;
        }
        if !is_described(dist.integrity.as_deref(), &hash.finalize()) {
            return Err(RegistryError::Integrity { address: address.clone() });
        }
        Ok(file)
    }

    fn request(&self, address: &str) -> reqwest::RequestBuilder {
        let request = self.client.get(address);
        let value = self.npmrc.authorization(address).and_then(|value| HeaderValue::from_str(&value).ok());
        match value {
            Some(mut value) => {
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
            None => request,
        }
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        address: &str,
    ) -> Result<reqwest::Response, RegistryError> {
        let response = request.send().await.map_err(unreachable(address))?;
        let status = response.status();
        if status.is_success() || status == reqwest::StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        Err(RegistryError::Status { address: address.to_owned(), status: status.as_u16() })
    }
}

fn unreachable(address: &str) -> impl FnOnce(reqwest::Error) -> RegistryError {
    let address = address.to_owned();
    move |source| RegistryError::Unreachable { address, source: source.without_url() }
}

/// Whether a SHA-512 is the one that the registry names. Without one nothing is accepted: every
/// package of the runtimes has had it since long.
fn is_described(integrity: Option<&str>, hash: &[u8]) -> bool {
    let base64 = base64::engine::general_purpose::STANDARD;
    integrity
        .unwrap_or("")
        .split_whitespace()
        .filter_map(|one| base64.decode(one.strip_prefix("sha512-")?).ok())
        .any(|expected| expected == hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_described_archive_is_accepted() {
        let hash = Sha512::digest("hello");
        let base64 = base64::engine::general_purpose::STANDARD.encode(hash);
        for (integrity, accepted) in [
            (Some(format!("sha512-{base64}")), true),
            (Some(format!("sha1-AAAA sha512-{base64}")), true),
            (Some("sha512-AAAA".into()), false),
            (Some("sha1-qvTGHdzF6KLavt4PO0gs2a6pQ00=".into()), false),
            (Some(String::new()), false),
            (None, false),
        ] {
            assert_eq!(is_described(integrity.as_deref(), &hash), accepted, "{integrity:?}");
        }
    }

    #[test]
    fn reads_packages_as_registries_describe_them() {
        let package: Package = serde_json::from_str(
            r#"{"name":"npm","dist-tags":{},"versions":{
                "1.0.0":{"engines":["node >= 0.4"],"dist":{"tarball":"https://r/1.tgz","shasum":"x"}},
                "2.0.0":{"engines":{"node":">=18"},"dist":{"tarball":"https://r/2.tgz","integrity":"sha512-x"}},
                "3.0.0":{"dist":{"tarball":"https://r/3.tgz"}}}}"#,
        )
        .unwrap();
        let engines: Vec<_> =
            package.versions.values().map(|release| release.engines.node.as_deref()).collect();
        assert_eq!(engines, [None, Some(">=18"), None]);
    }
}
