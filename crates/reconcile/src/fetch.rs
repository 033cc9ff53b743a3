//! Downloads the source of a build from where its user said it is.

use crate::error::chain;
use domain::Digest;
use futures_util::StreamExt;
use image::ImageStore;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Why there is no source. The text is meant for the build's output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("The source could not be downloaded from {host}: {why}.")]
    Download { host: String, why: String },
    #[error("The source has the checksum {found}, but {announced} was announced.")]
    Checksum { announced: String, found: String },
    #[error("The address of the source is not one that can be downloaded from.")]
    Address,
    #[error("The source could not be kept: {0}.")]
    Store(String),
}

/// Downloads `url` into the blob store and checks it against `checksum` (`SHA256:<hex>`), if there
/// is one. Addresses that only this machine could reach at its cloud's metadata service are refused;
/// the address itself is not repeated in errors, for it may hold a password.
pub(crate) async fn fetch(
    images: &ImageStore,
    url: &str,
    checksum: Option<&str>,
    limit: u64,
    timeout: Duration,
) -> Result<Digest, FetchError> {
    let url: reqwest::Url = url.parse().map_err(|_| FetchError::Address)?;
    let host = url.host_str().ok_or(FetchError::Address)?.to_owned();
    let fail = |why: String| FetchError::Download { host: host.clone(), why };
    if refused_literal(&host) {
        return Err(FetchError::Address);
    }
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::custom(|attempt| {
            if attempt.previous().len() > 5 || attempt.url().host_str().is_none_or(refused_literal) {
                attempt.stop()
            } else {
                attempt.follow()
            }
        }))
        .dns_resolver(std::sync::Arc::new(Resolver))
        .build()
        .map_err(|error| fail(chain(&error.without_url())))?;
    let response = client.get(url).send().await.map_err(|error| fail(chain(&error.without_url())))?;
    if !response.status().is_success() {
        return Err(fail(format!("the server answered {}", response.status())));
    }
    let body =
        response.bytes_stream().map(|piece| piece.map_err(|error| io::Error::other(error.without_url())));
    let reader = tokio_util::io::StreamReader::new(body);
    let blob =
        images.receive_blob(reader, limit, None).await.map_err(|error| FetchError::Store(chain(&error)))?;
    check(checksum, blob.digest)?;
    Ok(blob.digest)
}

fn check(announced: Option<&str>, digest: Digest) -> Result<(), FetchError> {
    let Some(announced) = announced else { return Ok(()) };
    let hex = announced.split_once(':').map_or(announced, |(_, hex)| hex);
    if hex.eq_ignore_ascii_case(&digest.hex()) {
        return Ok(());
    }
    Err(FetchError::Checksum { announced: announced.to_owned(), found: format!("SHA256:{}", digest.hex()) })
}

fn refused_literal(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse().is_ok_and(refused)
}

/// Link-local addresses are where clouds keep their metadata.
fn refused(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4 == Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(v6) => {
            v6.to_ipv4_mapped().is_some_and(|v4| refused(v4.into()))
                || v6.is_unicast_link_local()
                || v6.is_unspecified()
                // The metadata service's address on some clouds.
                || v6.segments()[..2] == [0xfd00, 0x0ec2]
        }
    }
}

/// The system's resolver without the addresses that are refused.
struct Resolver;

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| !refused(address.ip())).collect();
            if allowed.is_empty() {
                return Err(io::Error::other("no address that may be used").into());
            }
            Ok(Box::new(allowed.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Answers one request with `answer`.
    async fn server(answer: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let _ = connection.read(&mut [0; 4096]).await;
            connection.write_all(answer.as_bytes()).await.unwrap();
        });
        format!("http://user:geheim@{address}/a.tgz")
    }

    async fn get(answer: &'static str, checksum: Option<&str>, limit: u64) -> Result<Digest, String> {
        let dir = tempfile::tempdir().unwrap();
        let images = ImageStore::open(dir.path()).unwrap();
        let url = server(answer).await;
        let got = fetch(&images, &url, checksum, limit, Duration::from_secs(20)).await;
        got.inspect(|digest| assert!(images.has_blob(digest))).map_err(|error| error.to_string())
    }

    const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    const HELLO_SUM: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[tokio::test]
    async fn keeps_what_it_downloads_and_checks_it() {
        let digest = get(HELLO, Some(&format!("SHA256:{HELLO_SUM}")), 100).await.unwrap();
        assert_eq!(digest.hex(), HELLO_SUM);
        let error = get(HELLO, Some("SHA256:00"), 100).await.unwrap_err();
        assert!(error.contains("but SHA256:00 was announced"), "{error}");
    }

    #[tokio::test]
    async fn says_what_went_wrong_without_the_password() {
        for (answer, limit, words) in [
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 100, "the server answered 404"),
            (HELLO, 3, "could not be kept"),
            ("nonsense", 100, "could not be downloaded"),
            (
                "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
                100,
                "302",
            ),
        ] {
            let error = get(answer, None, limit).await.unwrap_err();
            assert!(error.contains(words) && !error.contains("geheim"), "{error}");
        }
    }

    #[test]
    fn metadata_addresses_are_refused() {
        for (host, expected) in [
            ("169.254.169.254", true),
            ("[::ffff:169.254.169.254]", true),
            ("[fe80::1]", true),
            ("[fd00:ec2::254]", true),
            ("0.0.0.0", true),
            ("192.168.1.2", false),
            ("example.com", false),
        ] {
            assert_eq!(refused_literal(host), expected, "{host}");
        }
    }
}
