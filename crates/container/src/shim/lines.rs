//! Cutting a stream of bytes into lines.

use crate::spool::MAX_LINE;

/// Keeps what has no line break yet.
#[derive(Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Gives every line that `bytes` completes to `emit`, without its `\n` or `\r\n`. What is
    /// longer than [`MAX_LINE`] comes in pieces, cut between characters where it is UTF-8.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut emit: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            // One byte more than a line may have, so that a line of just that length is not cut.
            let room = MAX_LINE + 1 - self.partial.len();
            let window = &bytes[..bytes.len().min(room)];
            if let Some(end) = window.iter().position(|byte| *byte == b'\n') {
                if self.partial.is_empty() {
                    emit(without_return(&bytes[..end]));
                } else {
                    self.partial.extend_from_slice(&bytes[..end]);
                    emit(without_return(&self.partial));
                    self.partial.clear();
                }
                bytes = &bytes[end + 1..];
            } else {
                self.partial.extend_from_slice(window);
                bytes = &bytes[window.len()..];
                if self.partial.len() > MAX_LINE {
                    let end = character_boundary(&self.partial, MAX_LINE);
                    emit(&self.partial[..end]);
                    self.partial.drain(..end);
                }
            }
        }
    }

    /// Whether something waits for its line break.
    pub(super) fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Gives out what waits.
    pub(super) fn flush(&mut self, mut emit: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            emit(without_return(&self.partial));
            self.partial.clear();
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The last place up to `end` where a UTF-8 character begins; `end` itself if there is none near.
fn character_boundary(bytes: &[u8], end: usize) -> usize {
    let is_start = |at: &usize| bytes[*at] & 0b1100_0000 != 0b1000_0000;
    (end.saturating_sub(3)..=end).rev().find(is_start).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces and returns what was emitted, the rest flushed.
    fn lines(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut emitted = Vec::new();
        for piece in pieces {
            lines.feed(piece, |line| emitted.push(line.to_vec()));
        }
        lines.flush(|line| emitted.push(line.to_vec()));
        assert!(!lines.is_partial());
        emitted
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        let expected: [&[u8]; 4] = [b"one", b"", b"two", b"rest"];
        assert_eq!(lines(&[b"one\n\r\ntwo\r\nrest"]), expected);
        let bytes: Vec<_> = b"one\n\r\ntwo\r\nrest".chunks(1).collect();
        assert_eq!(lines(&bytes), expected);
        assert_eq!(lines(&[b"one\n", b"\r", b"\ntwo\r", b"\nre", b"st"]), expected);
        assert_eq!(lines(&[]), [b""; 0]);
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let exact = [b'x'; MAX_LINE];
        assert_eq!(lines(&[&exact, b"\n"]), [exact.to_vec()]);
        let long = vec![b'x'; 2 * MAX_LINE + 5];
        let found = lines(&[&long, b"\nnext\n"]);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_LINE, MAX_LINE, 5, 4]);
    }

    #[test]
    fn a_cut_never_falls_into_a_character() {
        for offset in 0..4 {
            let text = format!("{}{}", "x".repeat(offset), "🦀".repeat(MAX_LINE / 2));
            let found = lines(&[text.as_bytes()]);
            assert!(found.len() > 1);
            assert!(found.iter().all(|piece| std::str::from_utf8(piece).is_ok() && piece.len() <= MAX_LINE));
            assert_eq!(found.concat(), text.as_bytes());
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_cut_all_the_same() {
        let found = lines(&[&[0x80; MAX_LINE + 10]]);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_LINE, 10]);
    }
}
