//! Bytes between a client of `heroku run` and its dyno, both ways, to the end of either.

use engine::Duplex;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::Instant;

/// Without a byte in either direction; Heroku's figure.
const IDLE: Duration = Duration::from_hours(1);
/// What the client sends when its input has ended.
const END_OF_TRANSMISSION: u8 = 4;
/// A client gets so long to send its first byte even if the dyno has ended. The official CLI breaks
/// when it comes to send the end of its input on a connection that is closed.
const FIRST_WORD: Duration = Duration::from_millis(300);
/// One that is silent for so long after its dyno has ended is not in the middle of its input.
const PAUSE: Duration = Duration::from_millis(50);
/// One that does not stop sending to a dyno that has ended is cut off.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Carries bytes both ways until the container's side ends, the client is gone, or nothing moved
/// for an hour. A client that is gone hangs up: dropping `container` does that.
///
/// Neither way waits for the other: a dyno that answers while it is still being told something
/// would else be stuck, and its client with it.
pub(super) async fn relay<C>(client: C, container: Box<dyn Duplex>, no_tty: bool) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let begun = Instant::now();
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (from_dyno, to_dyno) = tokio::io::split(container);
    let moved = watch::Sender::new(());
    let heard = AtomicBool::new(false);
    tokio::select! {
        // What the dyno still had to say goes first: a client may send the end of its input and leave.
        biased;
        told = tell_client(from_dyno, &mut to_client, &moved) => told?,
        gone = tell_dyno(&mut from_client, to_dyno, no_tty, &moved, &heard) => return gone,
        () = stillness(moved.subscribe()) => return to_client.shutdown().await,
    }
    let until = if heard.into_inner() { Instant::now() } else { begun + FIRST_WORD };
    hear_out(&mut from_client, until).await;
    to_client.shutdown().await
}

/// Hands on what the dyno prints until it has ended.
async fn tell_client(
    mut from_dyno: impl AsyncRead + Unpin,
    to_client: &mut (impl AsyncWrite + Unpin),
    moved: &watch::Sender<()>,
) -> io::Result<()> {
    let mut marker = ExitMarker::default();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from_dyno.read(&mut buffer).await.unwrap_or(0);
        let piece = if count == 0 { marker.rest() } else { marker.pass(&buffer[..count]) };
        to_client.write_all(&piece).await?;
        to_client.flush().await?;
        moved.send_replace(());
        if count == 0 {
            return Ok(());
        }
    }
}

/// Hands on what the client sends until it is gone.
///
/// Without a terminal nobody turns the byte that the client sends at the end of its input (04,
/// "end of transmission") into an end of input, so that is done here.
async fn tell_dyno(
    from_client: &mut (impl AsyncRead + Unpin),
    mut to_dyno: impl AsyncWrite + Unpin,
    no_tty: bool,
    moved: &watch::Sender<()>,
    heard: &AtomicBool,
) -> io::Result<()> {
    let mut input_open = true;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from_client.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        heard.store(true, Ordering::Relaxed);
        let (input, ended) = match buffer[..count].split_last() {
            Some((&END_OF_TRANSMISSION, input)) if no_tty => (input, true),
            _ => (&buffer[..count], false),
        };
        // A program that has closed its input may still have something to say, so a failure to
        // write is not the end.
        if input_open {
            let _ = to_dyno.write_all(input).await;
            let _ = to_dyno.flush().await;
        }
        if ended && input_open {
            input_open = false;
            let _ = to_dyno.shutdown().await;
        }
        moved.send_replace(());
    }
}

/// Waits until nothing has moved for an hour.
async fn stillness(mut moved: watch::Receiver<()>) {
    while let Ok(Ok(())) = tokio::time::timeout(IDLE, moved.changed()).await {}
}

/// Takes what the client says until then, and what it is still sending to a dyno that has ended.
/// The official CLI breaks when it sends something on a connection that is closed.
async fn hear_out(from_client: &mut (impl AsyncRead + Unpin), until: Instant) {
    let mut buffer = vec![0; 16 * 1024];
    let end = Instant::now() + LAST_WORDS;
    let mut patience = until.max(Instant::now() + PAUSE);
    while Instant::now() < end
        && let Ok(Ok(1..)) = tokio::time::timeout_at(patience, from_client.read(&mut buffer)).await
    {
        patience = Instant::now() + PAUSE;
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

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_dyno_that_answers_while_it_is_told_is_not_stuck() {
        let (client, server) = tokio::io::duplex(64);
        let (dyno, inside) = tokio::io::duplex(64);
        let session = tokio::spawn(relay(server, Box::new(dyno), true));
        let echo = async {
            let (mut input, mut output) = tokio::io::split(inside);
            tokio::io::copy(&mut input, &mut output).await
        };
        let (mut from_server, mut to_server) = tokio::io::split(client);
        let speak = async {
            // All of it before anything is read, as far as there is room.
            to_server.write_all(&[b'x'; 10_000]).await?;
            to_server.write_all(&[END_OF_TRANSMISSION]).await
        };
        let listen = async {
            let mut heard = Vec::new();
            from_server.read_to_end(&mut heard).await.map(|_| heard.len())
        };
        let all = async { tokio::join!(tokio::spawn(echo), speak, listen) };
        let (echoed, spoken, heard) = tokio::time::timeout(PATIENCE, all).await.expect("it is stuck");
        spoken.unwrap();
        assert_eq!((echoed.unwrap().unwrap(), heard.unwrap()), (10_000, 10_000));
        session.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn input_that_nobody_reads_any_more_is_taken_and_an_endless_one_is_cut_off() {
        let input = [b'x'; 1000];
        for endless in [false, true] {
            let (client, server) = tokio::io::duplex(64);
            let (dyno, inside) = tokio::io::duplex(64);
            let session = tokio::spawn(relay(server, Box::new(dyno), true));
            drop(inside);
            let (mut from_server, mut to_server) = tokio::io::split(client);
            let speak = async {
                to_server.write_all(&input).await?;
                if !endless {
                    return io::Result::Ok(());
                }
                loop {
                    tokio::time::sleep(PAUSE / 2).await;
                    to_server.write_all(b"x").await?;
                }
            };
            let (spoken, ended) = tokio::join!(speak, from_server.read_u8());
            assert_eq!(spoken.is_err(), endless);
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            session.await.unwrap().unwrap();
        }
    }
}
