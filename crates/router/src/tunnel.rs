//! A connection after its dyno said 101: bytes both ways until somebody ends it.

use crate::connection::{Client, Worker};
use crate::fault::{FORCED_CLOSE, IDLE};
use crate::record::Record;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};

/// Bytes taken at once in one direction.
const PIECE: usize = 16 * 1024;

/// What has moved, and when last.
struct Meter {
    started: Instant,
    /// Milliseconds since `started`.
    moved: AtomicU64,
    to_client: AtomicU64,
}

/// Joins both sides once they have changed protocols; the request's record ends with the tunnel.
pub(crate) fn open(
    worker: &Arc<Worker>,
    asker: Arc<Client>,
    client: OnUpgrade,
    dyno: OnUpgrade,
    mut record: Box<Record>,
) {
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
        // Until now its connection counts.
        drop(asker);
    });
}

async fn run(client: OnUpgrade, dyno: OnUpgrade, record: &mut Record, idle: Duration) {
    let (Ok(client), Ok(dyno)) = tokio::join!(client, dyno) else { return };
    let meter = Meter { started: Instant::now(), moved: AtomicU64::new(0), to_client: AtomicU64::new(0) };
    let (client_read, client_write) = halves(client);
    let (dyno_read, dyno_write) = halves(dyno);
    let down = pump(dyno_read, client_write, &meter, Some(&meter.to_client));
    let up = pump(client_read, dyno_write, &meter, None);
    let timed_out = tokio::select! {
        // An error on either side ends both; an end of one direction leaves the other open.
        _ = async { tokio::try_join!(down, up) } => false,
        () = meter.silence(idle) => true,
    };
    record.bytes = meter.to_client.load(Ordering::Relaxed);
    if timed_out {
        record.fail(&IDLE);
    }
}

type Io = TokioIo<Upgraded>;

fn halves(upgraded: Upgraded) -> (ReadHalf<Io>, WriteHalf<Io>) {
    split(TokioIo::new(upgraded))
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    meter: &Meter,
    count: Option<&AtomicU64>,
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
        if let Some(count) = count {
            count.fetch_add(length as u64, Ordering::Relaxed);
        }
    }
}

impl Meter {
    fn touch(&self) {
        self.moved.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Resolves when nothing has moved for `idle`.
    async fn silence(&self, idle: Duration) {
        loop {
            let end = self.started + Duration::from_millis(self.moved.load(Ordering::Relaxed)) + idle;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end.into()).await;
        }
    }
}
