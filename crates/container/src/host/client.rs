//! Talking to one shim.

use crate::bundle::Paths;
use crate::protocol::{Event, Refusal, Reply, Request};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Why a shim did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("refused: {0:?}")]
    Refused(Refusal),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A connection to a shim.
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the shim of the container at `paths`.
    pub async fn connect(paths: &Paths) -> io::Result<Self> {
        // The address must be short; the path to the directory may be long.
        let directory = File::open(paths.directory())?;
        let address = format!("/proc/self/fd/{}/{}", directory.as_raw_fd(), Paths::SOCKET);
        Ok(Self { stream: BufReader::new(UnixStream::connect(address).await?) })
    }

    /// Asks for something and waits until it is done.
    pub async fn request(&mut self, request: Request) -> Result<(), ClientError> {
        let mut line = serde_json::to_vec(&request).map_err(io::Error::from)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).await?;
        loop {
            match self.reply().await? {
                Some(Reply::Done) => return Ok(()),
                Some(Reply::Refused(refusal)) => return Err(ClientError::Refused(refusal)),
                Some(Reply::Event(_)) => {}
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            }
        }
    }

    /// Becomes the container's client. To be asked on a fresh connection.
    pub async fn attach(self) -> Result<UnixStream, ClientError> {
        let mut stream = self.stream.into_inner();
        let mut request = serde_json::to_vec(&Request::Attach).map_err(io::Error::from)?;
        request.push(b'\n');
        stream.write_all(&request).await?;
        // Byte by byte: what follows the answer is the program's output and not ours to take.
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            line.push(stream.read_u8().await?);
        }
        match serde_json::from_slice(&line).map_err(io::Error::from)? {
            Reply::Refused(refusal) => Err(ClientError::Refused(refusal)),
            Reply::Done | Reply::Event(_) => Ok(stream),
        }
    }

    /// Asks to be told of changes.
    pub async fn subscribe(mut self) -> Result<Subscription, ClientError> {
        self.request(Request::Subscribe).await?;
        Ok(Subscription { client: self })
    }

    async fn reply(&mut self) -> io::Result<Option<Reply>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&line)?))
    }
}

/// A stream of changes.
pub struct Subscription {
    client: Client,
}

impl Subscription {
    /// The next change; `None` when the shim is gone.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.client.reply().await {
                Ok(Some(Reply::Event(event))) => return Some(event),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }
}
