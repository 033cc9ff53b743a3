//! The other side of what the platform sends out: an HTTP server that answers as a test says, and
//! remembers what it was asked. Tests of the loops use this file as well.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// Names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Asked {
    /// The body; `null` if it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A header; empty if it did not come.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// What is done about it.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status and a body.
    With(u16, String),
    /// A redirect to this address.
    Elsewhere(String),
    /// The connection ends.
    Cut,
    /// Nothing comes, ever.
    Never,
}

impl Reply {
    /// A status and JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::With(status, body.to_string())
    }
}

type Answer = dyn FnMut(&Asked) -> Reply + Send;

/// The server. It ends when this is dropped.
pub struct OtherSide {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Mutex<Box<Answer>>>,
    task: JoinHandle<()>,
}

impl Drop for OtherSide {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl OtherSide {
    /// Begins to listen.
    pub async fn start(answer: impl FnMut(&Asked) -> Reply + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Mutex<Box<Answer>>> = Arc::new(Mutex::new(Box::new(answer)));
        let (seen, say) = (asked.clone(), answer.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, say) = (seen.clone(), say.clone());
                // What goes wrong here is seen by who asked.
                tokio::spawn(async move { serve(stream, &seen, &say).await });
            }
        });
        Ok(Self { address, asked, answer, task })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers differently from now on.
    pub fn answers(&self, answer: impl FnMut(&Asked) -> Reply + Send + 'static) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answer);
    }

    /// All that came so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `POST /path` and so on, of all that came.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|one| format!("{} {}", one.method, one.path)).collect()
    }
}

async fn serve(stream: TcpStream, seen: &Mutex<Vec<Asked>>, say: &Mutex<Box<Answer>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let Some(asked) = read(&mut stream).await? else { return Ok(()) };
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    let reply = say.lock().unwrap_or_else(PoisonError::into_inner)(&asked);
    let (status, more, body) = match reply {
        Reply::With(status, body) => (status, String::new(), body),
        Reply::Elsewhere(place) => (302, format!("location: {place}\r\n"), String::new()),
        Reply::Cut => return Ok(()),
        Reply::Never => std::future::pending().await,
    };
    let head = format!(
        "HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{more}connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Asked { method, path, headers, body: String::from_utf8_lossy(&body).into_owned() }))
}
