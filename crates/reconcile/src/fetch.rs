//! Downloads the source of a build from where its user said it is.

use crate::error::chain;
use crate::reach::{Reach, Resolver};
use domain::Digest;
use futures_util::StreamExt;
use image::ImageStore;
use ipnet::IpNet;
use reqwest::header::LOCATION;
use reqwest::{Client, Response, Url};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// Why there is no source. The text is meant for the build's output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("The source could not be downloaded from {host}: {why}.")]
    Download { host: String, why: String },
    #[error("The source has the checksum {found}, but {announced} was announced.")]
    Checksum { announced: String, found: String },
    #[error("The address of the source is not one that can be downloaded from.")]
    Address,
    #[error("Nothing is downloaded from {host}, which lies in this server's own network.")]
    Inner { host: String },
    #[error("The source could not be kept: {0}.")]
    Store(String),
}

/// Downloads `url` into the blob store and checks it against `checksum` (`SHA256:<hex>`), if there
/// is one. Of the server's own network only what is `allowed` can be reached, see `reach`. The
/// address itself is not repeated in errors, for it may hold a password.
pub(crate) async fn fetch(
    images: &ImageStore,
    url: &str,
    checksum: Option<&str>,
    limit: u64,
    timeout: Duration,
    allowed: &[IpNet],
) -> Result<Digest, FetchError> {
    let url: Url = url.parse().map_err(|_| FetchError::Address)?;
    let host = url.host_str().ok_or(FetchError::Address)?.to_owned();
    let download = async {
        let response = get(url, Reach::new(allowed)).await?;
        let body =
            response.bytes_stream().map(|piece| piece.map_err(|error| io::Error::other(error.without_url())));
        let reader = tokio_util::io::StreamReader::new(body);
        let blob = images.receive_blob(reader, limit, None).await;
        blob.map_err(|error| FetchError::Store(chain(&error)))
    };
    let late = |_| FetchError::Download { host, why: "it took too long".into() };
    let blob = tokio::time::timeout(timeout, download).await.map_err(late)??;
    check(checksum, blob.digest)?;
    Ok(blob.digest)
}

/// Downloads `url` into a file that must not be there yet, and tells how many bytes came. Only what is
/// `allowed` of the server's own network can be reached.
pub(crate) async fn fetch_file(
    path: &Path,
    url: &str,
    limit: u64,
    timeout: Duration,
    allowed: &[IpNet],
) -> Result<u64, FetchError> {
    let url: Url = url.parse().map_err(|_| FetchError::Address)?;
    let host = url.host_str().ok_or(FetchError::Address)?.to_owned();
    let kept = |error: io::Error| FetchError::Store(chain(&error));
    let download = async {
        let mut body = get(url, Reach::new(allowed)).await?.bytes_stream();
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(path).await.map_err(kept)?;
        let mut count = 0_u64;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| FetchError::Download {
                host: host.clone(),
                why: chain(&error.without_url()),
            })?;
            count = count.saturating_add(piece.len() as u64);
            if count > limit {
                return Err(FetchError::Store(format!("it has more than {limit} bytes")));
            }
            file.write_all(&piece).await.map_err(kept)?;
        }
        file.sync_all().await.map_err(kept)?;
        Ok(count)
    };
    let late = |_| FetchError::Download { host: host.clone(), why: "it took too long".into() };
    tokio::time::timeout(timeout, download).await.map_err(late)?
}

/// The answer that has the source, after redirects. These are followed here, so that each address
/// is judged before anybody is asked.
async fn get(mut url: Url, reach: Reach) -> Result<Response, FetchError> {
    let mut host = url.host_str().unwrap_or_default().to_owned();
    let fail = |host: &str, why: String| FetchError::Download { host: host.to_owned(), why };
    let client = Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(Resolver::new(reach.clone())))
        .build()
        .map_err(|error| fail(&host, chain(&error.without_url())))?;
    for _ in 0..=REDIRECTS {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Address);
        }
        if !reach.admits(&url).await {
            return Err(FetchError::Inner { host });
        }
        let response = client.get(url.clone()).send().await;
        let response = response.map_err(|error| fail(&host, chain(&error.without_url())))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let next = response.headers().get(LOCATION).filter(|_| status.is_redirection());
        let Some(next) = next else { return Err(fail(&host, format!("the server answered {status}"))) };
        let next = next.to_str().ok().and_then(|next| url.join(next).ok());
        url = next.ok_or_else(|| fail(&host, "it redirects to something that is no address".into()))?;
        url.host_str().ok_or(FetchError::Address)?.clone_into(&mut host);
    }
    Err(fail(&host, "it redirects too often".into()))
}

fn check(announced: Option<&str>, digest: Digest) -> Result<(), FetchError> {
    let Some(announced) = announced else { return Ok(()) };
    let hex = announced.split_once(':').map_or(announced, |(_, hex)| hex);
    if hex.eq_ignore_ascii_case(&digest.hex()) {
        return Ok(());
    }
    Err(FetchError::Checksum { announced: announced.to_owned(), found: format!("SHA256:{}", digest.hex()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

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

    async fn download(
        url: &str,
        checksum: Option<&str>,
        limit: u64,
        allowed: &str,
    ) -> Result<Digest, String> {
        let dir = tempfile::tempdir().unwrap();
        let images = ImageStore::open(dir.path()).unwrap();
        let allowed: Vec<IpNet> =
            allowed.split_whitespace().map(|network| network.parse().unwrap()).collect();
        let got = fetch(&images, url, checksum, limit, Duration::from_secs(20), &allowed).await;
        got.inspect(|digest| assert!(images.has_blob(digest))).map_err(|error| error.to_string())
    }

    async fn get(answer: &'static str, checksum: Option<&str>, limit: u64) -> Result<Digest, String> {
        download(&server(answer).await, checksum, limit, "127.0.0.1/32").await
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
                "HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n",
                100,
                "not one that",
            ),
            ("HTTP/1.1 302 Found\r\nlocation: http://[\r\ncontent-length: 0\r\n\r\n", 100, "no address"),
            ("HTTP/1.1 304 Not Modified\r\n\r\n", 100, "the server answered 304"),
        ] {
            let error = get(answer, None, limit).await.unwrap_err();
            assert!(error.contains(words) && !error.contains("geheim"), "{error}");
        }
    }

    /// Redirects to `target` whenever it is asked.
    async fn redirecting(target: String) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let _ = connection.read(&mut [0; 4096]).await;
                let answer = format!(
                    "HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        format!("http://{address}/")
    }

    #[tokio::test]
    async fn the_own_network_is_asked_for_nothing_also_after_a_redirect_or_by_name() {
        let inner = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
        let port = inner.local_addr().unwrap().port();
        let by_address = format!("http://127.0.0.2:{port}/");
        let redirected = redirecting(by_address.clone()).await;
        let metadata = redirecting("http://169.254.169.254/latest".into()).await;
        for (url, allowed) in [
            (by_address.as_str(), ""),
            (&format!("http://localhost:{port}/"), ""),
            (&redirected, "127.0.0.1/32"),
            (&metadata, "0.0.0.0/0"),
        ] {
            let error = download(url, None, 100, allowed).await.unwrap_err();
            assert!(error.contains("own network"), "{url}: {error}");
        }
        assert!(inner.into_std().unwrap().accept().is_err(), "somebody has connected");
        // The control: with leave to go there, the redirect is followed.
        let target = server(HELLO).await;
        let redirected = redirecting(target).await;
        assert_eq!(download(&redirected, None, 100, "127.0.0.1/32").await.unwrap().hex(), HELLO_SUM);
    }

    #[tokio::test]
    async fn a_circle_of_redirects_comes_to_an_end() {
        let circle = redirecting("/".into()).await;
        let error = download(&circle, None, 100, "127.0.0.1/32").await.unwrap_err();
        assert!(error.contains("redirects too often"), "{error}");
    }

    #[tokio::test]
    async fn a_name_that_changes_between_the_look_and_the_connection_is_refused() {
        use reqwest::dns::Resolve;
        let resolver = Resolver::new(Reach::new(&[]));
        assert!(resolver.resolve("localhost".parse().unwrap()).await.is_err());
        let resolver =
            Resolver::new(Reach::new(&["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]));
        assert!(resolver.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
