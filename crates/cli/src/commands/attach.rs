//! The terminal and the dyno joined: bytes both ways, and the command's status out of the stream.

use super::Result;
use crate::printer::Printer;
use anyhow::Context as _;
use client::rendezvous::Attached;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Ends the input of a dyno whose user has no terminal (ASCII end of transmission).
const END: u8 = 0x04;
const INTERRUPT: u8 = 0x03;
/// So many interrupts within a second leave the dyno alone.
const IMPATIENT: usize = 4;
/// What announces the status. U+FFFD's neighbour U+FFFF is no character, so nobody prints it.
const MARK: &str = "\u{ffff} heroku-command-exit-status: ";

/// Joins until the dyno closes; gives the command's status if it came.
pub(crate) async fn relay(
    printer: &Printer,
    stream: Attached,
    out_is_terminal: bool,
    in_is_terminal: bool,
) -> Result<Option<u8>> {
    let (mut from_dyno, mut to_dyno) = tokio::io::split(stream);
    let sending = async {
        let mut input = tokio::io::stdin();
        let mut piece = vec![0; 16 * 1024];
        let mut interrupts = VecDeque::new();
        loop {
            let length = input.read(&mut piece).await?;
            if length == 0 {
                to_dyno.write_all(&[END]).await?;
                to_dyno.flush().await?;
                // What the dyno still says is for the other half.
                std::future::pending::<()>().await;
            }
            if in_is_terminal && gives_up(&mut interrupts, &piece[..length], Instant::now()) {
                return std::io::Result::Ok(());
            }
            to_dyno.write_all(&piece[..length]).await?;
            to_dyno.flush().await?;
        }
    };
    let receiving = async {
        let mut marked = Marked::default();
        let mut lines = PlainLines::default();
        let mut piece = vec![0; 16 * 1024];
        loop {
            let length = match from_dyno.read(&mut piece).await {
                Ok(length) => length,
                // Many servers end a session without TLS's own goodbye.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
                Err(error) => return Err(error).context("the connection to the dyno broke"),
            };
            let shown = if length == 0 { marked.rest() } else { marked.take(&piece[..length]) };
            printer.raw(&if out_is_terminal { shown } else { lines.take(&shown) })?;
            if length == 0 {
                printer.raw(lines.rest())?;
                return Ok(marked.status);
            }
        }
    };
    tokio::select! {
        status = receiving => status,
        sent = sending => {
            sent.context("cannot pass the input on")?;
            Ok(None)
        }
    }
}

/// Whether the user hits Ctrl-C again and again.
fn gives_up(interrupts: &mut VecDeque<Instant>, typed: &[u8], now: Instant) -> bool {
    for _ in typed.iter().filter(|byte| **byte == INTERRUPT) {
        interrupts.push_back(now);
    }
    while interrupts.front().is_some_and(|first| now.duration_since(*first) > Duration::from_secs(1)) {
        interrupts.pop_front();
    }
    interrupts.len() >= IMPATIENT
}

/// A pseudo-terminal ends lines with CR LF; files and pipes want LF.
#[derive(Default)]
struct PlainLines {
    /// A CR whose LF may still come.
    held: bool,
}

impl PlainLines {
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(bytes.len() + 1);
        for byte in bytes {
            if std::mem::take(&mut self.held) && *byte != b'\n' {
                plain.push(b'\r');
            }
            if *byte == b'\r' {
                self.held = true;
            } else {
                plain.push(*byte);
            }
        }
        plain
    }

    fn rest(&mut self) -> &'static [u8] {
        if std::mem::take(&mut self.held) { b"\r" } else { b"" }
    }
}

/// Output in which the command's status is hidden, however it is cut into pieces.
#[derive(Default)]
pub(crate) struct Marked {
    held: Vec<u8>,
    pub(crate) status: Option<u8>,
}

impl Marked {
    /// The command, followed by one that says how it ended.
    pub(crate) fn command(command: &str) -> String {
        format!("{command} ; echo \"{MARK}$?\"")
    }

    /// What can be shown by now.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let mut shown = Vec::new();
        loop {
            let Some(start) = find(&self.held, &MARK.as_bytes()[..3]) else {
                let keep = partial(&self.held);
                shown.extend(self.held.drain(..self.held.len() - keep));
                return shown;
            };
            shown.extend(self.held.drain(..start));
            let known = self.held.len().min(MARK.len());
            if self.held[..known] != MARK.as_bytes()[..known] {
                shown.extend(self.held.drain(..3));
                continue;
            }
            let Some(end) = self.held.iter().position(|byte| *byte == b'\n') else { return shown };
            self.read_status(end);
            self.held.drain(..=end);
        }
    }

    /// What was held back, at the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        if self.held.starts_with(MARK.as_bytes()) {
            self.read_status(self.held.len());
            self.held.clear();
        }
        std::mem::take(&mut self.held)
    }

    fn read_status(&mut self, end: usize) {
        let text = self.held.get(MARK.len()..end).unwrap_or_default();
        self.status = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// How many bytes at the end may be the beginning of the mark's first character.
fn partial(bytes: &[u8]) -> usize {
    (1..3).rev().find(|count| bytes.ends_with(&MARK.as_bytes()[..*count])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_found_however_the_output_is_cut() {
        let output = "caf\u{e9} \u{ffff} no\r\nlast line\r\n\u{ffff} heroku-command-exit-status: 5\r\n";
        for size in 1..=output.len() {
            let mut marked = Marked::default();
            let mut shown = Vec::new();
            for piece in output.as_bytes().chunks(size) {
                shown.extend(marked.take(piece));
            }
            shown.extend(marked.rest());
            assert_eq!(String::from_utf8(shown).unwrap(), "caf\u{e9} \u{ffff} no\r\nlast line\r\n");
            assert_eq!(marked.status, Some(5), "in pieces of {size}");
        }
    }

    #[test]
    fn output_without_a_status_is_shown_whole() {
        for output in ["", "text", "text\u{ffff}", "\u{ffff} heroku"] {
            let mut marked = Marked::default();
            let mut shown = marked.take(output.as_bytes());
            shown.extend(marked.rest());
            assert_eq!(String::from_utf8(shown).unwrap(), output);
            assert_eq!(marked.status, None);
        }
    }

    #[test]
    fn four_interrupts_within_a_second_are_enough() {
        let start = Instant::now();
        let mut interrupts = VecDeque::new();
        for (millis, expected) in
            [(0, false), (900, false), (1800, false), (1900, false), (2000, false), (2050, true)]
        {
            let now = start + Duration::from_millis(millis);
            assert_eq!(gives_up(&mut interrupts, b"x\x03", now), expected, "{millis}");
        }
    }

    #[test]
    fn lines_lose_their_carriage_returns_for_files() {
        let output = b"a\r\nb\rc\n\r\n\r\r\nd\r";
        for size in 1..=output.len() {
            let mut lines = PlainLines::default();
            let mut plain: Vec<u8> = output.chunks(size).flat_map(|piece| lines.take(piece)).collect();
            plain.extend(lines.rest());
            assert_eq!(plain, b"a\nb\rc\n\n\r\nd\r");
        }
    }
}
