//! Drains that take syslog over TCP, with TLS or without: frames one after the other on a connection that stays.
//!
//! Nobody answers, so a batch is taken when the kernel has it. What was on its way when a connection broke may
//! be lost, as with everybody who speaks this protocol.

use super::channel::{Failure, Sent};
use super::frame::Batch;
use super::tls::{Tls, certificate_error};
use crate::reach::{Reach, is_own_network};
use futures_util::FutureExt;
use rustls::pki_types::ServerName;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

/// Until a connection is there, with TLS where that is wanted.
const CONNECT: Duration = Duration::from_secs(5);
/// Until the other side takes more (Heroku's figure).
const SEND: Duration = Duration::from_secs(4);
/// A connection is used no longer (Heroku's figure).
const LONGEST: Duration = Duration::from_hours(5);
/// For the goodbye.
const CLOSE: Duration = Duration::from_secs(1);

/// One drain.
pub(super) struct Stream {
    reach: Reach,
    host: String,
    port: u16,
    /// Whether anybody is believed.
    tls: Option<(Tls, bool)>,
    /// A connection that did not last so long is not followed by another at once.
    rest: Duration,
    connection: Option<Connection>,
}

struct Connection {
    io: Box<dyn Io>,
    since: Instant,
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Io for T {}

impl Stream {
    pub(super) fn new(
        reach: Reach,
        host: String,
        port: u16,
        tls: Option<(Tls, bool)>,
        rest: Duration,
    ) -> Self {
        Self { reach, host, port, tls, rest, connection: None }
    }

    pub(super) async fn send(&mut self, batch: &Batch) -> Sent {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(failure) => return Sent::Failed(failure),
        };
        match write(&mut connection.io, &batch.body).await {
            Ok(()) => {
                self.connection = Some(connection);
                Sent::Taken
            }
            Err(error) => Sent::Failed(Failure::under_way(words(&error))),
        }
    }

    pub(super) async fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            // Who does not take it in time has it cut off.
            let _ = timeout(CLOSE, connection.io.shutdown()).await;
        }
    }

    /// The connection that there is, if it is good, or a new one.
    async fn connection(&mut self) -> Result<Connection, Failure> {
        if let Some(mut known) = self.connection.take() {
            let age = known.since.elapsed();
            let ended = has_ended(&mut known.io);
            if !ended && age < LONGEST {
                return Ok(known);
            }
            if ended && age < self.rest {
                return Err(Failure::before("it ended the connection".into()));
            }
        }
        let connected = timeout(CONNECT, self.connect()).await;
        let failed = match connected {
            Ok(Ok(io)) => return Ok(Connection { io, since: Instant::now() }),
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        Err(match certificate_error(&failed) {
            Some(why) => Failure::certificate(why),
            None if is_own_network(&failed) => Failure::own_network(),
            None => Failure::before(format!("it could not be connected to ({})", words(&failed))),
        })
    }

    async fn connect(&self) -> io::Result<Box<dyn Io>> {
        let addresses = self.reach.addresses(&self.host, self.port).await?;
        let stream = TcpStream::connect(&*addresses).await?;
        stream.set_nodelay(true)?;
        let Some((tls, insecure)) = &self.tls else { return Ok(Box::new(stream)) };
        let config = tls.config(*insecure).map_err(io::Error::other)?;
        let name = ServerName::try_from(self.host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
    }
}

/// Whether the other side has ended a connection. What it says is not listened to.
fn has_ended(io: &mut Box<dyn Io>) -> bool {
    let mut heard = [0; 1024];
    // So much is looked through, and no more: the other side may talk without end.
    for _ in 0..64 {
        match io.read(&mut heard).now_or_never() {
            None => return false,
            Some(Ok(0) | Err(_)) => return true,
            Some(Ok(_)) => {}
        }
    }
    false
}

async fn write(io: &mut Box<dyn Io>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = timeout(SEND, io.write(bytes)).await??;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[count..];
    }
    timeout(SEND, io.flush()).await?
}

/// What an error is about, in short and without an address.
pub(super) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => "it took too long".into(),
        kind if error.get_ref().is_none() => kind.to_string(),
        _ => error.to_string(),
    }
}
