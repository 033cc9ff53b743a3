//! The segments of one app: files named after the id of their first line.

use crate::LineId;
use crate::record::{Decoded, HEADER, Record, decode};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const CHUNK: usize = 128 << 10;

/// Where the segment that begins with line `first` is.
pub(crate) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.log"))
}

/// The first ids of all segments, oldest first. An app without a directory has none.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let first =
            name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|id| id.parse::<u64>().ok());
        found.extend(first);
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads records from a place in a segment onwards.
pub(crate) struct SegmentReader {
    file: File,
    /// Where the next record begins.
    offset: u64,
}

/// How far one reading went.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The visitor asked for a pause.
    Paused,
    /// Nothing more is there, or not yet.
    Eof,
    /// What follows is no record.
    Damaged,
}

impl SegmentReader {
    /// Opens a segment at its beginning.
    pub(crate) fn open(dir: &Path, first: u64) -> io::Result<Self> {
        Ok(Self { file: File::open(path(dir, first))?, offset: 0 })
    }

    /// Where the records that were read end.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Hands records to `visit` until it returns false or no whole record is left.
    pub(crate) fn read(&mut self, mut visit: impl FnMut(Record) -> bool) -> io::Result<End> {
        let mut buffer = vec![0; CHUNK];
        let mut wanted = HEADER;
        loop {
            if buffer.len() < wanted {
                buffer.resize(wanted, 0);
            }
            let filled = self.fill(&mut buffer)?;
            if filled < wanted {
                return Ok(End::Eof);
            }
            let mut used = 0;
            loop {
                match decode(&buffer[used..filled]) {
                    Decoded::Record(record, length) => {
                        used += length;
                        self.offset += length as u64;
                        if !visit(record) {
                            return Ok(End::Paused);
                        }
                    }
                    Decoded::Short(length) => {
                        wanted = length;
                        break;
                    }
                    Decoded::Damaged => return Ok(End::Damaged),
                }
            }
        }
    }

    fn fill(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], self.offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// The segment that holds line `id`, or would: the last one that begins at or before it, else the
/// oldest there is.
pub(crate) fn holding(segments: &[u64], id: LineId) -> Option<u64> {
    segments.iter().rev().find(|first| **first <= id.0).or(segments.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_segment_of_a_line() {
        for (segments, id, expected) in [
            (&[][..], 5, None),
            (&[1, 10, 20], 1, Some(1)),
            (&[1, 10, 20], 9, Some(1)),
            (&[1, 10, 20], 10, Some(10)),
            (&[1, 10, 20], 99, Some(20)),
            (&[10, 20], 3, Some(10)),
        ] {
            assert_eq!(holding(segments, LineId(id)), expected, "{segments:?} {id}");
        }
    }

    #[test]
    fn lists_only_segments_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["00000000000000000020.log", "00000000000000000003.log", "notes.txt", "x.log"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(list(dir.path()).unwrap(), [3, 20]);
        assert_eq!(list(&dir.path().join("absent")).unwrap(), [0_u64; 0]);
    }
}
