//! The meeting point of `heroku run`: a TLS port where a client names a secret and gets the streams
//! of the dyno that has it.
//!
//! The protocol is the official CLI's: the client sends the secret and CRLF; the server answers
//! with one chunk that the client throws away and that tells it the dyno is there; then bytes go
//! both ways until the server closes. There is no resize message and no exit code; for the latter
//! the CLI lets the shell print a marker, see [`ExitMarker`].

use domain::{Dyno, DynoState};
use engine::{Duplex, Engine, EngineError};
use ops::Ops;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// For the handshake and the secret together.
const INTRODUCTION: Duration = Duration::from_secs(20);
/// Bytes of the first line at most.
const LINE_LIMIT: usize = 512;
/// For a dyno that was asked for and is still being started.
const START: Duration = Duration::from_mins(2);
/// Without a byte in either direction; Heroku's figure.
const IDLE: Duration = Duration::from_hours(1);
/// What the client sends when its input has ended.
const END_OF_TRANSMISSION: u8 = 4;
/// A client gets so long to send its first byte even if the dyno has ended. The official CLI breaks
/// when it comes to send the end of its input on a connection that is closed.
const FIRST_WORD: Duration = Duration::from_millis(300);

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
        let deadline = tokio::time::Instant::now() + START;
        let mut changes = self.engine.changes();
        loop {
            changes.mark_unchanged();
            match self.engine.attach(dyno.id.0).await {
                Ok(container) => return Ok(container),
                // Not yet made, or not yet ready for a client.
                Err(EngineError::NotFound(_) | EngineError::NotAttachable(_)) => {}
                Err(error) => return Err(error.into()),
            }
            if tokio::time::Instant::now() > deadline {
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

/// Carries bytes both ways until the container's side ends, the client is gone, or nothing moved
/// for an hour. A client that is gone hangs up: dropping `container` does that.
///
/// Without a terminal nobody turns the byte that the client sends at the end of its input (04,
/// "end of transmission") into an end of input, so that is done here.
async fn relay<C>(client: C, container: Box<dyn Duplex>, no_tty: bool) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_dyno, mut to_dyno) = tokio::io::split(container);
    let mut marker = ExitMarker::default();
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let mut input_open = true;
    let (begun, mut heard) = (tokio::time::Instant::now(), false);
    loop {
        tokio::select! {
            read = from_dyno.read(&mut down) => {
                let count = read.unwrap_or(0);
                let piece = if count == 0 { marker.rest() } else { marker.pass(&down[..count]) };
                to_client.write_all(&piece).await?;
                to_client.flush().await?;
                if count == 0 {
                    if !heard {
                        let _ = tokio::time::timeout_at(begun + FIRST_WORD, from_client.read(&mut up)).await;
                    }
                    return to_client.shutdown().await;
                }
            }
            read = from_client.read(&mut up) => {
                let count = read?;
                if count == 0 {
                    return Ok(());
                }
                heard = true;
                let (input, ended) = match up[..count].split_last() {
                    Some((&END_OF_TRANSMISSION, input)) if no_tty => (input, true),
                    _ => (&up[..count], false),
                };
                // A program that has closed its input may still have something to say, so a
                // failure to write is not the end.
                if input_open {
                    let _ = to_dyno.write_all(input).await;
                    let _ = to_dyno.flush().await;
                }
                if ended && input_open {
                    input_open = false;
                    let _ = to_dyno.shutdown().await;
                }
            }
            () = tokio::time::sleep(IDLE) => return to_client.shutdown().await,
        }
    }
}

/// Keeps the exit marker of the official CLI in one piece.
///
/// With `--exit-code` the CLI appends `echo "\u{FFFF} heroku-command-exit-status: $?"` to the
/// command and looks for that text in each chunk it receives by itself, so a marker that is split
/// over two chunks is missed. Everything from a U+FFFF to the end of its line is held back until
/// the line is complete.
#[derive(Default)]
struct ExitMarker {
    held: Vec<u8>,
}

/// U+FFFF in UTF-8.
const MARKER: &[u8] = b"\xEF\xBF\xBF";
/// A longer line is no marker.
const HELD_LIMIT: usize = 256;

impl ExitMarker {
    /// Takes what the dyno wrote and returns what may be sent now.
    fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let keep_from = if let Some(at) = find(&self.held, MARKER) {
            let line = &self.held[at..];
            if line.contains(&b'\n') || line.len() > HELD_LIMIT { self.held.len() } else { at }
        } else {
            // The marker itself may be cut.
            let cut = (1..MARKER.len()).rev().find(|&length| self.held.ends_with(&MARKER[..length]));
            self.held.len() - cut.unwrap_or(0)
        };
        let rest = self.held.split_off(keep_from);
        std::mem::replace(&mut self.held, rest)
    }

    /// What is left when the dyno has ended.
    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_marker_leaves_in_one_piece_wherever_it_was_cut() {
        let text = "some output\n\u{FFFF} heroku-command-exit-status: 7\r\n".as_bytes();
        for cut in 0..text.len() {
            let mut marker = ExitMarker::default();
            let pieces = [marker.pass(&text[..cut]), marker.pass(&text[cut..]), marker.rest()];
            assert_eq!(pieces.concat(), text, "cut at {cut}");
            let whole = "\u{FFFF} heroku-command-exit-status: 7".as_bytes();
            assert!(pieces.iter().any(|piece| find(piece, whole).is_some()), "cut at {cut}: {pieces:?}");
        }
    }

    #[test]
    fn other_text_is_not_held_back() {
        let mut marker = ExitMarker::default();
        assert_eq!(marker.pass("~ $ ".as_bytes()), b"~ $ ");
        assert_eq!(marker.pass("\u{FFFE}x".as_bytes()), "\u{FFFE}x".as_bytes());
        let long = format!("\u{FFFF}{}", "x".repeat(HELD_LIMIT));
        assert_eq!(marker.pass(long.as_bytes()), long.as_bytes());
    }

    #[tokio::test(start_paused = true)]
    async fn a_quick_dyno_waits_for_its_clients_first_word_but_not_for_ever() {
        for speaks in [true, false] {
            let (mut client, server) = tokio::io::duplex(64);
            let (dyno, mut inside) = tokio::io::duplex(64);
            let session = tokio::spawn(relay(server, Box::new(dyno), true));
            inside.write_all(b"done\n").await.unwrap();
            drop(inside);
            let mut said = [0; 5];
            client.read_exact(&mut said).await.unwrap();
            assert_eq!(&said, b"done\n");
            let early = tokio::time::timeout(FIRST_WORD / 2, client.read_u8()).await;
            assert!(early.is_err(), "the connection is still open");
            if speaks {
                client.write_all(&[END_OF_TRANSMISSION]).await.unwrap();
            }
            assert_eq!(client.read(&mut said).await.unwrap(), 0, "then it closes");
            session.await.unwrap().unwrap();
        }
    }

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
