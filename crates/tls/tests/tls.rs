//! The authority on disk and the two-faced listener, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test says what failed by where it stops")]

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tls::{Certificates, Config, SniffListener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

fn config(directory: &Path) -> Config {
    Config {
        directory: directory.into(),
        base_domain: "Apps.Example.".into(),
        host_names: vec!["kigo.example".into(), "10.1.2.3".into(), "localhost".into()],
    }
}

fn now() -> Timestamp {
    Timestamp::now()
}

/// A client that trusts this authority alone and sends SNI or not.
fn connector(certificates: &Certificates, sni: bool) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificates.authority_certificate().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_sni = sni;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// A listener that answers `plain` or `tls` to one byte and closes.
async fn serve(certificates: &Certificates) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut listener =
        SniffListener::new(listener, certificates.server_config(&[b"http/1.1"]).unwrap(), 64).unwrap();
    let address = listener.local_address();
    tokio::spawn(async move {
        loop {
            let (mut stream, peer, place) = listener.accept().await;
            tokio::spawn(async move {
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                let word: &[u8] = if peer.tls { b"tls" } else { b"plain" };
                stream.write_all(word).await.unwrap();
                stream.write_all(&byte).await.unwrap();
                stream.shutdown().await.unwrap();
                drop(place);
            });
        }
    });
    address
}

#[tokio::test]
async fn one_port_answers_both() {
    let directory = tempfile::tempdir().unwrap();
    let certificates = Certificates::open(&config(directory.path()), now()).unwrap();
    let address = serve(&certificates).await;

    // One that never speaks is in nobody's way.
    let _silent = TcpStream::connect(address).await.unwrap();

    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"G").await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "plainG");

    let names =
        ["localhost", "127.0.0.1", "::1", "apps.example", "my-app.apps.example", "kigo.example", "10.1.2.3"];
    for (sni, name) in [true, false].into_iter().flat_map(|sni| names.map(|name| (sni, name))) {
        let stream = TcpStream::connect(address).await.unwrap();
        let server = ServerName::try_from(name).unwrap();
        let mut stream = connector(&certificates, sni).connect(server, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
        stream.write_all(b"P").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "tlsP", "{name}");
    }

    let stream = TcpStream::connect(address).await.unwrap();
    let stranger = ServerName::try_from("elsewhere.example").unwrap();
    assert!(connector(&certificates, true).connect(stranger, stream).await.is_err());
}

#[tokio::test]
async fn renewal_is_seen_by_the_next_handshake() {
    let directory = tempfile::tempdir().unwrap();
    let long_ago = now() - SignedDuration::from_hours(24 * 100);
    let certificates = Certificates::open(&config(directory.path()), long_ago).unwrap();
    let address = serve(&certificates).await;
    let connect = async || {
        let stream = TcpStream::connect(address).await.unwrap();
        connector(&certificates, true).connect(ServerName::try_from("localhost").unwrap(), stream).await
    };
    assert!(connect().await.is_err(), "a certificate of 90 days, 100 days later");
    assert!(!certificates.renew_if_due(long_ago + SignedDuration::from_hours(24 * 50)).unwrap());
    assert!(certificates.renew_if_due(now()).unwrap());
    assert!(!certificates.renew_if_due(now()).unwrap());
    assert!(connect().await.is_ok());
}

#[test]
fn the_authority_stays_the_same_and_its_key_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("ca");
    let first = Certificates::open(&config(&home), now()).unwrap();
    let second = Certificates::open(&config(&home), now()).unwrap();
    assert_eq!(first.authority_certificate(), second.authority_certificate());
    let mode = |name: &str| std::fs::metadata(home.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca.pem"), mode("ca.key")), (0o644, 0o600));
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 2, "no drafts are left");
}

#[test]
fn a_broken_authority_is_not_replaced() {
    let open = |home: &Path| Certificates::open(&config(home), now()).map(|_| ()).unwrap_err().to_string();
    let fresh = || {
        let directory = tempfile::tempdir().unwrap();
        Certificates::open(&config(directory.path()), now()).unwrap();
        directory
    };

    let home = fresh();
    std::fs::remove_file(home.path().join("ca.key")).unwrap();
    assert!(open(home.path()).contains("restore the key"));

    let home = fresh();
    std::fs::write(home.path().join("ca.pem"), "nonsense").unwrap();
    assert!(open(home.path()).contains("does not hold a usable certificate"));

    let (home, other) = (fresh(), fresh());
    std::fs::copy(other.path().join("ca.key"), home.path().join("ca.key")).unwrap();
    assert!(open(home.path()).contains("does not hold a usable key"));

    let home = tempfile::tempdir().unwrap();
    Certificates::open(&config(home.path()), now() - SignedDuration::from_hours(24 * 4000)).unwrap();
    assert!(Certificates::open(&config(home.path()), now()).is_err(), "expired");

    // A key alone comes from an interrupted first start.
    let home = fresh();
    std::fs::remove_file(home.path().join("ca.pem")).unwrap();
    Certificates::open(&config(home.path()), now()).unwrap();
}

#[test]
fn a_name_that_cannot_be_certified_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.host_names.push("näme".into());
    let error = Certificates::open(&config, now()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("näme"), "{error}");
}
