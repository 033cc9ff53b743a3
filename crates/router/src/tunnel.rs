//! A connection after its dyno said 101: bytes both ways until somebody ends it.

use crate::fault::{FORCED_CLOSE, IDLE};
use crate::meter::Meter;
use crate::record::Record;
use bytes::BytesMut;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;

/// Bytes taken at once in one direction.
const PIECE: usize = 16 * 1024;

/// Joins both sides once they have changed protocols; the request's record ends with the tunnel, and
/// until then its client's connection counts.
pub(crate) fn open(client: OnUpgrade, dyno: (TcpStream, BytesMut), mut record: Box<Record>) {
    let worker = record.worker.clone();
    let shared = worker.shared.clone();
    record.slot = record.slot.take().map(crate::routes::Slot::into_tunnel);
    // A tunnel is not a request that waits: it does not count against the app's limit.
    record.admission = None;
    record.complete = true;
    shared.hooks.metrics.tunnels.inc();
    let tracker = worker.tasks.clone();
    tracker.spawn(async move {
        let mut forced = shared.forced();
        tokio::select! {
            () = run(client, dyno, &mut record, shared.config.timeouts.idle) => {}
            _ = forced.wait_for(|forced| *forced) => record.fail(&FORCED_CLOSE),
        }
        shared.hooks.metrics.tunnels.dec();
    });
}

/// `dyno` is its socket, and what it said already in the other protocol.
async fn run(client: OnUpgrade, dyno: (TcpStream, BytesMut), record: &mut Record, idle: Duration) {
    let (mut dyno, said) = dyno;
    let Ok(client) = client.await else { return };
    let (meter, to_client, to_dyno) = (Meter::new(), AtomicU64::new(0), AtomicU64::new(0));
    let (client_read, client_write) = split(TokioIo::new(client));
    let (dyno_read, dyno_write) = dyno.split();
    let down = pump(said.as_ref().chain(dyno_read), client_write, &meter, &to_client);
    let up = pump(client_read, dyno_write, &meter, &to_dyno);
    let timed_out = tokio::select! {
        // An error on either side ends both; an end of one direction leaves the other open.
        _ = async { tokio::try_join!(down, up) } => false,
        () = meter.silence(idle) => true,
    };
    record.bytes = to_client.into_inner();
    if timed_out {
        record.fail(&IDLE);
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    meter: &Meter,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        meter.touch();
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
        to.flush().await?;
        meter.touch();
        count.fetch_add(length as u64, Ordering::Relaxed);
    }
}
