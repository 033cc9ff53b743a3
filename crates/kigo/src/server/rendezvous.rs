//! The meeting point of `heroku run`: a TLS port where a client names a secret and gets the streams
//! of the dyno that has it.
//!
//! The protocol is the official CLI's: the client sends the secret and CRLF; the server answers
//! with one chunk that the client throws away and that tells it the dyno is there; then bytes go
//! both ways until the server closes. There is no resize message and no exit code; for the latter
//! the CLI lets the shell print a marker, which `relay` watches for.

mod relay;

use domain::{Dyno, DynoState};
use engine::{Duplex, Engine, EngineError};
use ops::Ops;
use relay::relay;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// For the handshake and the secret together.
const INTRODUCTION: Duration = Duration::from_secs(20);
/// Bytes of the first line at most.
const LINE_LIMIT: usize = 512;
/// For a dyno that was asked for and is still being started.
const START: Duration = Duration::from_mins(2);
/// What a meeting needs.
#[derive(Clone)]
pub(crate) struct Rendezvous {
    pub(crate) ops: Ops,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) tls: TlsAcceptor,
    /// Connections at once; more wait in the kernel's queue.
    pub(crate) connections: usize,
}

#[derive(Debug, thiserror::Error)]
enum MeetingError {
    #[error("the client said nothing in time")]
    Slow,
    #[error("the client's first line is no secret")]
    NoSecret,
    #[error("no dyno waits for this secret")]
    Unknown,
    #[error("the dyno did not start in time")]
    NotStarted,
    #[error("attaching to the dyno")]
    Engine(#[from] EngineError),
    #[error("the connection broke")]
    Connection(#[from] io::Error),
}

impl Rendezvous {
    /// Serves until told to stop. Open sessions end with the process; their dynos are hung up.
    pub(crate) async fn run(self, listener: TcpListener, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.connections));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let accepted = tokio::select! {
                () = shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let meeting = self.clone();
                    tokio::spawn(async move {
                        if let Err(error) = meeting.meet(stream).await {
                            debug!(%peer, error = &error as &dyn std::error::Error, "rendezvous ended");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "rendezvous cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn meet(&self, stream: tokio::net::TcpStream) -> Result<(), MeetingError> {
        stream.set_nodelay(true)?;
        let introduced = tokio::time::timeout(INTRODUCTION, async {
            let mut client = self.tls.accept(stream).await?;
            let secret = read_secret(&mut client).await?;
            Ok::<_, MeetingError>((client, secret))
        });
        let (mut client, secret) = introduced.await.map_err(|_| MeetingError::Slow)??;
        let dyno = ops::dynos::by_attach_key(&self.ops, &secret).await.map_err(|_| MeetingError::Unknown)?;
        if !matches!(dyno.state, DynoState::Starting | DynoState::Up) {
            return Err(MeetingError::Unknown);
        }
        let container = self.attach(&dyno).await?;
        // A record of its own: the client throws away all of the first chunk it gets.
        client.write_all(b"rendezvous\r\n").await?;
        client.flush().await?;
        relay(client, container, dyno.no_tty).await?;
        Ok(())
    }

    /// Waits until the dyno's container waits for its client, and becomes that client.
    async fn attach(&self, dyno: &Dyno) -> Result<Box<dyn Duplex>, MeetingError> {
        let deadline = Instant::now() + START;
        let mut changes = self.engine.changes();
        loop {
            changes.mark_unchanged();
            match self.engine.attach(dyno.id.0).await {
                Ok(container) => return Ok(container),
                // Not yet made, or not yet ready for a client.
                Err(EngineError::NotFound(_) | EngineError::NotAttachable(_)) => {}
                Err(error) => return Err(error.into()),
            }
            if Instant::now() > deadline {
                return Err(MeetingError::NotStarted);
            }
            let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
        }
    }
}

async fn read_secret(client: &mut (impl AsyncRead + Unpin)) -> Result<String, MeetingError> {
    let mut line = Vec::new();
    // Byte by byte: what follows the line belongs to the dyno.
    while !line.ends_with(b"\n") {
        if line.len() > LINE_LIMIT {
            return Err(MeetingError::NoSecret);
        }
        line.push(client.read_u8().await?);
    }
    let text = String::from_utf8(line).map_err(|_| MeetingError::NoSecret)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(MeetingError::NoSecret) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_line_is_the_secret_and_nothing_more_is_read() {
        let (mut client, mut server) = tokio::io::duplex(64);
        client.write_all(b"s3cr3t?x=1\r\nls\n").await.unwrap();
        assert_eq!(read_secret(&mut server).await.unwrap(), "s3cr3t?x=1");
        let mut next = [0; 3];
        server.read_exact(&mut next).await.unwrap();
        assert_eq!(&next, b"ls\n");
    }
}
