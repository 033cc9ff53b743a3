//! A receiver of syslog over TCP, with TLS or without, that can cut its connections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Ends when it is dropped.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    /// Moves to cut; and how many connections are open.
    cut: watch::Sender<u64>,
    open: watch::Sender<usize>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub(super) async fn new() -> Self {
        Self::start("127.0.0.1:0".parse().unwrap(), None).await
    }

    pub(super) async fn at(address: SocketAddr) -> Self {
        Self::start(address, None).await
    }

    /// With a certificate that nobody else has signed, and that certificate.
    pub(super) async fn with_tls() -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = made.signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        (Self::start("127.0.0.1:0".parse().unwrap(), Some(tls)).await, made.cert.pem())
    }

    async fn start(address: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (cut, open) = (watch::Sender::new(0), watch::Sender::new(0));
        let (seen, cuts, count) = (lines.clone(), cut.clone(), open.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, mut cuts, count, tls) =
                    (seen.clone(), cuts.subscribe(), count.clone(), tls.clone());
                tokio::spawn(async move {
                    count.send_modify(|count| *count += 1);
                    let reading = async {
                        match tls {
                            None => read(stream, &seen).await,
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    read(stream, &seen).await;
                                }
                            }
                        }
                    };
                    tokio::select! {
                        () = reading => {}
                        _ = cuts.changed() => {}
                    }
                    count.send_modify(|count| *count -= 1);
                });
            }
        });
        Self { address, lines, cut, open, task }
    }

    /// What came, without times.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Ends all connections, and waits until they have ended.
    pub(super) async fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
        self.open.subscribe().wait_for(|open| *open == 0).await.unwrap();
    }
}

async fn read(mut stream: impl AsyncRead + Unpin, seen: &Mutex<Vec<String>>) {
    let mut kept = Vec::new();
    while matches!(stream.read_buf(&mut kept).await, Ok(count) if count > 0) {
        let (lines, used) = whole(&kept);
        seen.lock().unwrap().extend(lines);
        kept.drain(..used);
    }
}

/// All frames of a body, without their lengths and times.
pub(super) fn frames(body: &[u8]) -> Vec<String> {
    let (lines, used) = whole(body);
    assert_eq!(used, body.len(), "a part of a frame");
    lines
}

/// The frames that are there as a whole, and how many bytes they take.
fn whole(bytes: &[u8]) -> (Vec<String>, usize) {
    let (mut lines, mut used) = (Vec::new(), 0);
    while let Some(space) = bytes[used..].iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&bytes[used..used + space]).unwrap().parse().unwrap();
        let start = used + space + 1;
        let Some(frame) = bytes.get(start..start + length) else { break };
        let text = std::str::from_utf8(frame).unwrap().strip_suffix('\n').expect("no newline");
        let (head, rest) = text.split_once(' ').unwrap();
        let (time, rest) = rest.split_once(' ').unwrap();
        time.parse::<jiff::Timestamp>().unwrap();
        lines.push(format!("{head} {rest}"));
        used = start + length;
    }
    (lines, used)
}
