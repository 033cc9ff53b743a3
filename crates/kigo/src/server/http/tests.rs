use super::*;
use axum::Extension;
use axum::routing::get;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Port {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl Port {
    async fn open(connections: usize, head: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = tls::Config {
            directory: directory.path().to_owned(),
            base_domain: "localhost".into(),
            host_names: Vec::new(),
        };
        let certificates = tls::Certificates::open(&config, Timestamp::now()).unwrap();
        let listener = bind("a test", SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = certificates.server_config(&[]).unwrap();
        let listener = SniffListener::new(listener, config, connections).unwrap();
        let from = |Extension(From(peer)): Extension<From>| async move { peer.address.to_string() };
        let router = Router::new().route("/", get(from));
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve_within(listener, router, shutdown.clone(), head));
        Self { address, shutdown, serving, _directory: directory }
    }

    async fn say(&self, words: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
        stream
    }
}

/// All that comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("it is kept open").unwrap();
    text
}

const ASK: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let port = Port::open(8, Duration::from_millis(200)).await;
    let mut slow = port.say("GET / HTTP/1.1\r\nHost: x\r\nX-").await;
    assert!(!rest(&mut slow).await.contains("200 OK"));
    // Nor is the next one, after an answer.
    let mut kept = port.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(rest(&mut kept).await.starts_with("HTTP/1.1 200 OK"));
    let mut quick = port.say(ASK).await;
    let address = quick.local_addr().unwrap().to_string();
    assert!(rest(&mut quick).await.ends_with(&address));
}

#[tokio::test]
async fn too_many_connections_wait_until_others_have_gone() {
    let port = Port::open(2, PATIENCE).await;
    // One that was answered, and one that has not even said what it is.
    let mut answered = port.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answered.read_u8().await.is_ok());
    let idle = TcpStream::connect(port.address).await.unwrap();
    let mut third = port.say(ASK).await;
    assert!(timeout(Duration::from_millis(200), third.read_u8()).await.is_err(), "there is a third place");
    drop(idle);
    assert!(rest(&mut third).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_head_of_any_length_is_not_kept() {
    let port = Port::open(2, PATIENCE).await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(2 * HEAD_BYTES));
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    // It may answer and close before all is sent.
    let _ = stream.write_all(long.as_bytes()).await;
    let mut first = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut first)).await.unwrap().unwrap();
    assert_eq!(&first, b"HTTP/1.1 431");
}

#[tokio::test]
async fn the_end_waits_for_nobody_who_asks_nothing() {
    let port = Port::open(8, PATIENCE).await;
    let mut kept = port.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(kept.read_u8().await.is_ok());
    port.shutdown.cancel();
    timeout(PATIENCE / 2, port.serving).await.expect("it ends").unwrap();
}
