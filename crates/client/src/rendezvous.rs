//! Attaching to a one-off dyno: TLS to the address in `attach_url`, the secret on a line of its
//! own, a greeting back, then raw bytes both ways.

use crate::{Client, ClientError};
use reqwest::Url;
use rustls::pki_types::ServerName;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The connection to the dyno's terminal or pipes.
pub type Attached = TlsStream<TcpStream>;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(20);
/// How long the dyno may take to start: an image may have to be unpacked first.
const START: Duration = Duration::from_mins(5);
/// Bytes of the greeting at most; it has ten or so.
const GREETING: usize = 4096;

impl Client {
    /// Connects to a dyno that was created with `attach`. Returns when the dyno is there.
    pub async fn attach(&self, attach_url: &str) -> Result<Attached, ClientError> {
        let (host, port, secret) = take_apart(attach_url)?;
        let name = ServerName::try_from(host.clone())
            .map_err(|_| ClientError::Attach(format!("{host:?} is not a host name")))?;
        let connector = TlsConnector::from(self.tls.clone());
        let connecting = async {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            let mut stream = connector.connect(name, stream).await?;
            stream.write_all(format!("{secret}\r\n").as_bytes()).await?;
            stream.flush().await?;
            Ok(stream)
        };
        let mut stream = within(CONNECT, connecting).await?;
        // The first line is a greeting; nothing of the dyno's own comes with it.
        let greeting = async {
            let mut length = 0;
            loop {
                let byte = stream.read_u8().await?;
                length += 1;
                if byte == b'\n' || length == GREETING {
                    return Ok(());
                }
            }
        };
        within(START, greeting).await?;
        Ok(stream)
    }
}

async fn within<T>(
    patience: Duration,
    action: impl Future<Output = std::io::Result<T>>,
) -> Result<T, ClientError> {
    match tokio::time::timeout(patience, action).await {
        Ok(outcome) => outcome.map_err(|error| ClientError::Attach(error.to_string())),
        Err(_) => Err(ClientError::Attach("it took too long".into())),
    }
}

/// Host, port and secret of `rendezvous://host:port/secret`.
fn take_apart(attach_url: &str) -> Result<(String, u16, String), ClientError> {
    let bad = || ClientError::Attach("the server gave no usable address".into());
    let url = Url::parse(attach_url).map_err(|_| bad())?;
    if url.scheme() != "rendezvous" {
        return Err(ClientError::Attach(format!("{} is not a way of attaching", url.scheme())));
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(bad)?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let mut secret = url.path().trim_start_matches('/').to_owned();
    if let Some(query) = url.query() {
        secret = format!("{secret}?{query}");
    }
    Ok((host, url.port().ok_or_else(bad)?, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let parts = |host: &str, port, secret: &str| Some((host.to_owned(), port, secret.to_owned()));
        for (url, expected) in [
            ("rendezvous://h:5001/s3cr3t", parts("h", 5001, "s3cr3t")),
            ("rendezvous://h:5001/s3cr3t?x=1", parts("h", 5001, "s3cr3t?x=1")),
            ("rendezvous://[::1]:5001/s", parts("::1", 5001, "s")),
            ("rendezvous://h/s", None),
            ("https://h:5001/s", None),
            ("nonsense", None),
        ] {
            assert_eq!(take_apart(url).ok(), expected, "{url}");
        }
    }
}
