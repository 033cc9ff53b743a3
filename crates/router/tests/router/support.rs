//! A router on a free port, dynos that misbehave to order, and a client that speaks raw bytes.

use domain::route::{AppRoute, Backend, Backends, RouteTable};
use domain::{AppId, DynoId, LogLine};
use router::{Config, Hooks, LogSink, Metrics, Routes, Wake};
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that must happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happened in time")
}

/// Waits until a condition holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

pub(crate) struct TestRouter {
    pub(crate) address: SocketAddr,
    pub(crate) routes: Routes,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) wakes: Arc<Mutex<Vec<AppId>>>,
    lines: tokio::sync::Mutex<mpsc::UnboundedReceiver<(AppId, LogLine)>>,
    generation: AtomicU64,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<std::io::Result<()>>>,
}

struct Lines(mpsc::UnboundedSender<(AppId, LogLine)>);

impl LogSink for Lines {
    fn log(&self, app: AppId, lines: Vec<LogLine>) {
        for line in lines {
            let _ = self.0.send((app, line));
        }
    }
}

struct Wakes(Arc<Mutex<Vec<AppId>>>);

impl Wake for Wakes {
    fn wake(&self, app: AppId) {
        self.0.lock().unwrap().push(app);
    }
}

impl TestRouter {
    /// A router without apps; `change` alters Heroku's limits and waits.
    pub(crate) fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config =
            Config { listen: vec!["127.0.0.1:0".parse().unwrap()], threads: 2, ..Config::default() };
        change(&mut config);
        let bound = config.bind().unwrap();
        let address = bound.addresses()[0];
        let (sender, lines) = mpsc::unbounded_channel();
        let (wakes, metrics, routes) = (Arc::default(), Arc::default(), Routes::new());
        let hooks = Hooks {
            log: Arc::new(Lines(sender)),
            wake: Arc::new(Wakes(Arc::clone(&wakes))),
            metrics: Arc::clone(&metrics),
        };
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(bound.run(routes.clone(), hooks, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            routes,
            metrics,
            wakes,
            lines: tokio::sync::Mutex::new(lines),
            generation: AtomicU64::new(0),
            stop: Some(stop),
            running: Some(running),
        }
    }

    /// A router whose only app, at `app.localhost`, has these backends.
    pub(crate) fn with(backends: Backends, change: impl FnOnce(&mut Config)) -> Self {
        let router = Self::start(change);
        router.publish(backends);
        router
    }

    /// Replaces the table by one with the single app `app.localhost`.
    pub(crate) fn publish(&self, backends: Backends) {
        self.publish_route(route(backends));
    }

    pub(crate) fn publish_route(&self, route: AppRoute) {
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        let hosts = HashMap::from([("app.localhost".to_owned(), Arc::new(route))]);
        assert!(self.routes.publish(&RouteTable { generation, hosts }));
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends a whole request, ends reading when the router closes or the response is complete.
    pub(crate) async fn ask(&self, request: &str) -> Reply {
        let mut client = self.connect().await;
        client.send(request).await;
        client.reply().await
    }

    /// `GET /` for the app.
    pub(crate) async fn get(&self) -> Reply {
        self.ask("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await
    }

    /// The next log line.
    pub(crate) async fn line(&self) -> String {
        let (_, line) = soon(async { self.lines.lock().await.recv().await }).await.unwrap();
        assert_eq!((line.source.as_str(), &*line.process), ("heroku", "router"));
        String::from_utf8(line.message.to_vec()).unwrap()
    }

    pub(crate) async fn no_line_yet(&self) -> bool {
        self.lines.lock().await.try_recv().is_err()
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub(crate) async fn stopped(&mut self) {
        soon(self.running.take().unwrap()).await.unwrap().unwrap();
    }
}

const APP: &str = "01234567-89ab-4def-8123-456789abcdef";

/// The one app of these tests.
pub(crate) fn route(backends: Backends) -> AppRoute {
    AppRoute {
        app: APP.parse().unwrap(),
        name: "app-name".parse().unwrap(),
        maintenance: false,
        error_page: None,
        maintenance_page: None,
        backends,
    }
}

pub(crate) fn ready(addresses: &[SocketAddr]) -> Backends {
    Backends::Ready((1..).zip(addresses).map(|(number, address)| web(number, *address)).collect())
}

pub(crate) fn web(number: u32, address: SocketAddr) -> Backend {
    Backend { dyno: DynoId::new(), name: format!("web.{number}").parse().unwrap(), address }
}

/// A dyno that does `serve` with each connection.
pub(crate) async fn dyno<S, F>(serve: S) -> SocketAddr
where
    S: Fn(Client) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Client(stream)));
        }
    });
    address
}

/// A dyno that answers every request on a connection with the same bytes.
pub(crate) async fn answering(answer: &'static str) -> SocketAddr {
    dyno(move |mut client| async move {
        while client.request().await.is_some() {
            client.send(answer).await;
        }
    })
    .await
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

pub(crate) const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// One end of a connection, as raw bytes.
pub(crate) struct Client(pub(crate) TcpStream);

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Whether the message was whole.
    pub(crate) complete: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Client {
    pub(crate) async fn send(&mut self, bytes: &str) {
        self.send_bytes(bytes.as_bytes()).await;
    }

    /// The peer may be gone, which is for the test to see in the answer.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = soon(self.0.write_all(bytes)).await;
    }

    /// Reads up to and with the empty line; nothing when the connection ends before.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match soon(self.0.read(&mut byte)).await {
                Ok(1) => head.push(byte[0]),
                _ => return None,
            }
        }
        Some(String::from_utf8(head).unwrap())
    }

    /// Reads a request with its body, if that has a length or is in chunks; gives head and body.
    pub(crate) async fn request(&mut self) -> Option<(String, String)> {
        let head = self.head().await?;
        let (body, complete) = self.body(&head, false).await;
        complete.then_some((head, body))
    }

    /// Reads a response; 1xx heads are skipped.
    pub(crate) async fn reply(&mut self) -> Reply {
        loop {
            let Some(head) = self.head().await else {
                return Reply { status: 0, head: String::new(), body: String::new(), complete: false };
            };
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            if status == 100 {
                continue;
            }
            let (body, complete) = self.body(&head, status != 101).await;
            return Reply { status, head, body, complete };
        }
    }

    async fn body(&mut self, head: &str, until_close: bool) -> (String, bool) {
        let head = head.to_ascii_lowercase();
        let mut body = Vec::new();
        let complete = if head.contains("transfer-encoding: chunked") {
            self.chunks(&mut body).await
        } else if let Some(length) = head.split("content-length: ").nth(1) {
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            self.exactly(length, &mut body).await
        } else if until_close {
            soon(self.0.read_to_end(&mut body)).await.is_ok()
        } else {
            true
        };
        (String::from_utf8_lossy(&body).into_owned(), complete)
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                if !self.exactly(1, &mut line).await {
                    return false;
                }
            }
            let size = std::str::from_utf8(&line).unwrap().trim();
            let size = usize::from_str_radix(size, 16).unwrap();
            let mut end = Vec::new();
            if !self.exactly(size, body).await || !self.exactly(2, &mut end).await {
                return false;
            }
            assert_eq!(end, b"\r\n");
            if size == 0 {
                return true;
            }
        }
    }

    pub(crate) async fn exactly(&mut self, length: usize, into: &mut Vec<u8>) -> bool {
        let mut piece = vec![0; length];
        let read = soon(self.0.read_exact(&mut piece)).await.is_ok();
        if read {
            into.extend_from_slice(&piece);
        }
        read
    }

    /// Whether the other end closes without further words.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let read = tokio::time::timeout(PATIENCE, self.0.read(&mut byte)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }

    /// Waits until the other end closes, whatever it still says.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let _ = soon(self.0.read_to_end(&mut rest)).await;
    }
}
