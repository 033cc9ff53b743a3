//! From a spool on disk to a channel of lines.

use container::spool::SpoolReader;
use engine::OutputLine;
use std::io;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Lines that wait for a slow reader; more wait in the spool.
const BUFFERED: usize = 256;

/// How long a lost wake-up can delay a line.
const POLL: Duration = Duration::from_secs(1);

/// Pause between looks at a container that is being removed.
const REMOVAL: Duration = Duration::from_millis(20);

/// Sends the lines that the reader gives, then new ones as `progress` announces them. Ends when `ended`
/// says that nothing will follow and everything was sent, or when nobody receives any more.
pub(crate) fn follow(
    mut reader: SpoolReader,
    mut progress: watch::Receiver<u64>,
    ended: impl Fn() -> bool + Send + 'static,
) -> mpsc::Receiver<OutputLine> {
    let (sender, receiver) = mpsc::channel(BUFFERED);
    tokio::spawn(async move {
        loop {
            progress.mark_unchanged();
            // Asked before reading: what was written before the end is read then.
            let last_round = ended();
            loop {
                let lines;
                (reader, lines) = match read_some(reader).await {
                    Ok(read) => read,
                    Err(error) => return tracing::error!(%error, "cannot read what a container printed"),
                };
                if lines.is_empty() {
                    break;
                }
                for line in lines {
                    if sender.send(line).await.is_err() {
                        return;
                    }
                }
            }
            if last_round {
                return;
            }
            tokio::select! {
                // Fails while the container is being removed, and then it has ended.
                result = progress.changed() => if result.is_err() { tokio::time::sleep(REMOVAL).await },
                () = tokio::time::sleep(POLL) => {}
                () = sender.closed() => return,
            }
        }
    });
    receiver
}

async fn read_some(mut reader: SpoolReader) -> io::Result<(SpoolReader, Vec<OutputLine>)> {
    let read = move || {
        let mut lines = Vec::new();
        while lines.len() < BUFFERED
            && let Some(line) = reader.next_line()?
        {
            lines.push(line);
        }
        Ok((reader, lines))
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}
