//! What is read without a login, under an address that is its own secret, and may go on for long:
//! logs, and the output of builds and release commands.

pub(crate) mod logs;
pub(crate) mod output;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::time::{Instant, interval_at};

/// Adds `beat` to a stream whenever nothing has come for `pause`, so that neither end nor anything
/// between them takes the connection for dead. Ends cleanly as soon as `stop` is over.
pub(crate) fn with_heartbeat(
    stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    beat: &'static [u8],
    pause: Duration,
    stop: impl Future<Output = ()> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let timed =
        tokio_stream::StreamExt::timeout_repeating(stream, interval_at(Instant::now() + pause, pause));
    timed.map(move |item| item.unwrap_or_else(|_elapsed| Ok(Bytes::from_static(beat)))).take_until(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn beats_while_idle_and_ends_with_the_stream_or_the_server() {
        let pause = Duration::from_secs(30);
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let mut beating = Box::pin(with_heartbeat(stream, b":\n", pause, std::future::pending()));
        let early = tokio::time::timeout(pause / 2, beating.next()).await;
        assert!(early.is_err(), "what begins in time has no beat in it");
        sender.send(Ok(Bytes::from_static(b"line"))).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.push(beating.next().await.unwrap().unwrap());
        }
        assert!(seen.contains(&Bytes::from_static(b"line")) && seen.contains(&Bytes::from_static(b":\n")));
        drop(sender);
        assert!(beating.next().await.is_none());

        let endless = futures_util::stream::pending();
        let stopped = with_heartbeat(endless, b":\n", pause, tokio::time::sleep(Duration::from_secs(70)));
        assert!(stopped.count().await <= 3);
    }
}
