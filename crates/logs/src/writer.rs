//! Appends to the segments of one app. Synchronous: called where blocking is allowed.

use crate::record::{MAX_POSITIONS, Record, encode_line, encode_positions};
use crate::segment::{self, End, SegmentReader};
use crate::{Bounds, Config, Limits, LineId};
use domain::LogLine;
use domain::log_line::MAX_MESSAGE;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// After a write that was cut short, ids go on behind a gap: a reader may have seen ids whose
/// records the machine lost, and must not take later lines for those.
pub(crate) const ID_GAP: u64 = 1_000_000;

/// The write end of an app's log.
pub(crate) struct Writer {
    config: Arc<Config>,
    limits: Limits,
    dir: PathBuf,
    file: File,
    /// Bytes of whole records in the current segment.
    length: u64,
    next_id: u64,
    positions: HashMap<Uuid, u64>,
    /// Something was written since the last [`Writer::sync`].
    dirty: bool,
    /// Records that the file does not have yet.
    buffer: Vec<u8>,
}

impl Writer {
    /// Opens the app's newest segment, cuts a torn record off its end and recovers the next id and
    /// the containers' positions from it. Without a segment, begins the first one.
    pub(crate) fn open(config: Arc<Config>, limits: Limits, dir: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let Some(first) = segment::list(&dir)?.pop() else {
            let positions = HashMap::new();
            let (file, length) = begin_segment(&dir, 1, &positions)?;
            return Ok(Self {
                config,
                limits,
                dir,
                file,
                length,
                next_id: 1,
                positions,
                dirty: false,
                buffer: Vec::new(),
            });
        };
        let mut next_id = first;
        let mut positions = HashMap::new();
        let mut reader = SegmentReader::open(&dir, first)?;
        let end = reader.read(|record| {
            match record {
                Record::Line(stored) => {
                    next_id = stored.id.0 + 1;
                    positions.extend(stored.origin);
                }
                Record::Positions(known) => positions.extend(known),
            }
            true
        })?;
        let length = reader.offset();
        let file = OpenOptions::new().append(true).open(segment::path(&dir, first))?;
        let found = file.metadata()?.len();
        if end == End::Damaged || found > length {
            tracing::warn!(
                dir = %dir.display(), bytes = found.saturating_sub(length),
                "cut an unfinished record off the end of a log"
            );
            file.set_len(length)?;
            file.sync_data()?;
            next_id += ID_GAP;
        }
        Ok(Self { config, limits, dir, file, length, next_id, positions, dirty: false, buffer: Vec::new() })
    }

    /// The last line's id; 0 before the first.
    pub(crate) fn last_id(&self) -> LineId {
        LineId(self.next_id - 1)
    }

    /// Up to where `container`'s output is kept.
    pub(crate) fn position(&self, container: Uuid) -> u64 {
        self.positions.get(&container).copied().unwrap_or(0)
    }

    /// Stops remembering a container that will print nothing more. Its position stays in the
    /// current segment, and is gone with it.
    pub(crate) fn forget(&mut self, container: Uuid) {
        self.positions.remove(&container);
    }

    /// Whether [`Writer::sync`] has something to do.
    pub(crate) fn dirty(&self) -> bool {
        self.dirty
    }

    /// Appends lines, each with its container and sequence if it is a container's output; lines
    /// that are kept already are passed over. Either all are in the file on return, or none is.
    pub(crate) fn write(&mut self, lines: &[(Option<(Uuid, u64)>, LogLine)]) -> io::Result<()> {
        if self.length >= self.config.segment_bytes {
            self.rotate()?;
        }
        self.buffer.clear();
        let mut next_id = self.next_id;
        let mut moved: HashMap<Uuid, u64> = HashMap::new();
        for (origin, line) in lines {
            if let Some((container, sequence)) = origin {
                let known = moved.get(container).copied().unwrap_or_else(|| self.position(*container));
                if *sequence <= known {
                    continue;
                }
                moved.insert(*container, *sequence);
            }
            // The position travels with the last piece: a record that has it has the whole line.
            let pieces = line.message.len().div_ceil(MAX_MESSAGE).max(1);
            for index in 0..pieces {
                let end = line.message.len().min((index + 1) * MAX_MESSAGE);
                let message = &line.message[index * MAX_MESSAGE..end];
                let origin = origin.filter(|_| index + 1 == pieces);
                encode_line(&mut self.buffer, LineId(next_id), origin, line, message);
                next_id += 1;
            }
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&self.buffer) {
            // A part may have arrived; cut it off, so that the next record begins where one may.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += self.buffer.len() as u64;
        self.next_id = next_id;
        self.positions.extend(moved);
        self.dirty = true;
        // A burst's buffer is not kept for the quiet time after it.
        self.buffer.shrink_to(64 << 10);
        Ok(())
    }

    /// Makes what was written survive a loss of power.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Ends the current segment, begins the next and drops what is beyond the bounds.
    fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        let (file, length) = begin_segment(&self.dir, self.next_id, &self.positions)?;
        self.file = file;
        self.length = length;
        self.expire(SystemTime::now())
    }

    /// Deletes the oldest segments beyond the bounds of size and age. Of an app that has been
    /// silent for so long, the current segment goes too and an empty one carries the ids on.
    pub(crate) fn expire(&mut self, now: SystemTime) -> io::Result<()> {
        let Bounds { bytes, age } = self.limits.now();
        let current = segment::list(&self.dir)?.pop();
        if current != Some(self.next_id) && is_older(&self.file.metadata()?, age, now) {
            self.sync()?;
            let (file, length) = begin_segment(&self.dir, self.next_id, &self.positions)?;
            self.file = file;
            self.length = length;
        }
        let mut segments = segment::list(&self.dir)?;
        segments.pop();
        let mut total = self.length;
        let mut drop_rest = false;
        for first in segments.into_iter().rev() {
            let path = segment::path(&self.dir, first);
            let metadata = std::fs::metadata(&path)?;
            total += metadata.len();
            drop_rest |= total > bytes || is_older(&metadata, age, now);
            if drop_rest {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn is_older(metadata: &std::fs::Metadata, age: Duration, now: SystemTime) -> bool {
    metadata.modified().ok().and_then(|at| now.duration_since(at).ok()).is_some_and(|passed| passed > age)
}

/// Makes the segment for lines from `first` on, headed by the containers' positions.
fn begin_segment(dir: &Path, first: u64, positions: &HashMap<Uuid, u64>) -> io::Result<(File, u64)> {
    let mut head = Vec::new();
    if !positions.is_empty() {
        encode_positions(&mut head, positions.iter().take(MAX_POSITIONS));
    }
    // Made under another name first: a segment that exists has its head.
    let draft = dir.join("next.tmp");
    let mut file = File::create(&draft)?;
    file.write_all(&head)?;
    file.sync_data()?;
    let path = segment::path(dir, first);
    std::fs::rename(&draft, &path)?;
    File::open(dir)?.sync_all()?;
    Ok((OpenOptions::new().append(true).open(path)?, head.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::AppId;
    use jiff::Timestamp;
    use std::sync::RwLock;

    const APP: AppId = AppId(Uuid::from_u128(7));

    fn config() -> Arc<Config> {
        Arc::new(Config { segment_bytes: 400, app_bytes: 2000, ..Config::new("/unused") })
    }

    fn open(dir: &Path) -> io::Result<Writer> {
        open_with(dir, &Arc::default())
    }

    fn open_with(dir: &Path, bounds: &Arc<RwLock<HashMap<AppId, Bounds>>>) -> io::Result<Writer> {
        let limits = Limits { app: APP, config: config(), bounds: bounds.clone() };
        Writer::open(config(), limits, dir.into())
    }

    fn line(text: &str) -> LogLine {
        LogLine::app(Timestamp::UNIX_EPOCH, "web.1", text.to_owned())
    }

    fn texts(dir: &Path) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        for first in segment::list(dir).unwrap() {
            SegmentReader::open(dir, first)
                .unwrap()
                .read(|record| {
                    if let Record::Line(stored) = record {
                        found.push((stored.id.0, String::from_utf8_lossy(&stored.line.message).into_owned()));
                    }
                    true
                })
                .unwrap();
        }
        found
    }

    #[test]
    fn a_torn_tail_is_cut_and_nothing_before_it_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let mut whole = open(dir.path()).unwrap();
        whole.write(&[(None, line("one")), (None, line("two"))]).unwrap();
        let path = segment::path(dir.path(), 1);
        let bytes = std::fs::read(&path).unwrap();
        let one = bytes.len() / 2;
        for cut in one..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let mut writer = open(dir.path()).unwrap();
            writer.write(&[(None, line("three"))]).unwrap();
            let found = texts(dir.path());
            assert_eq!(found.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["one", "three"]);
            assert!(cut == one || found[1].0 > 2, "id 2 may have been seen already");
        }
    }

    #[test]
    fn a_container_is_kept_exactly_once_over_reopening_and_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let container = Uuid::from_u128(9);
        let mut expected = Vec::new();
        for sequence in 1..=40_u64 {
            let mut writer = open(dir.path()).unwrap();
            assert_eq!(writer.position(container), sequence - 1);
            // A sender that does not know how far it came repeats the last lines.
            let from = sequence.saturating_sub(3).max(1);
            let lines: Vec<_> =
                (from..=sequence).map(|n| (Some((container, n)), line(&n.to_string()))).collect();
            writer.write(&lines).unwrap();
            // Noise of others fills the segments, so that positions must be carried over.
            writer.write(&[(None, line("noise"))]).unwrap();
            expected.push(sequence.to_string());
        }
        let got: Vec<_> =
            texts(dir.path()).into_iter().map(|(_, text)| text).filter(|t| t != "noise").collect();
        assert!(expected.ends_with(&got) && got.len() >= 5, "{got:?}");
        assert!(segment::list(dir.path()).unwrap().len() > 2);
    }

    #[test]
    fn size_is_bounded_and_ids_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = open(dir.path()).unwrap();
        for n in 1..=500_u64 {
            writer.write(&[(None, line(&n.to_string()))]).unwrap();
        }
        let size: u64 = segment::list(dir.path())
            .unwrap()
            .into_iter()
            .map(|first| std::fs::metadata(segment::path(dir.path(), first)).unwrap().len())
            .sum();
        assert!(size <= 2000 + 400 + 100, "{size}");
        assert_eq!(texts(dir.path()).last().unwrap(), &(500, "500".to_owned()));
    }

    #[test]
    fn more_is_kept_of_some_and_less_again() {
        let dir = tempfile::tempdir().unwrap();
        let size = || -> u64 {
            let segments = segment::list(dir.path()).unwrap().into_iter();
            segments.map(|first| std::fs::metadata(segment::path(dir.path(), first)).unwrap().len()).sum()
        };
        let bounds: Arc<RwLock<HashMap<AppId, Bounds>>> = Arc::default();
        let more = Bounds { bytes: 6000, age: Duration::from_hours(24 * 14) };
        bounds.write().unwrap().insert(APP, more);
        let mut writer = open_with(dir.path(), &bounds).unwrap();
        for n in 1..=500_u64 {
            writer.write(&[(None, line(&n.to_string()))]).unwrap();
        }
        assert!((5000..=6600).contains(&size()), "{}", size());
        writer.expire(SystemTime::now() + Duration::from_hours(24 * 10)).unwrap();
        assert!(size() > 5000, "{}", size());
        bounds.write().unwrap().clear();
        writer.expire(SystemTime::now()).unwrap();
        assert!(size() <= 2500, "{}", size());
        writer.expire(SystemTime::now() + Duration::from_hours(24 * 10)).unwrap();
        assert_eq!(size(), 0);
    }

    #[test]
    fn an_old_log_is_dropped_but_its_ids_and_positions_are_not_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = open(dir.path()).unwrap();
        writer.write(&[(Some((Uuid::from_u128(1), 8)), line("old"))]).unwrap();
        let later = SystemTime::now() + Duration::from_hours(8 * 24);
        for _ in 0..2 {
            writer.expire(later).unwrap();
            assert_eq!(texts(dir.path()), []);
        }
        let mut writer = open(dir.path()).unwrap();
        assert_eq!(writer.position(Uuid::from_u128(1)), 8);
        writer.write(&[(None, line("new"))]).unwrap();
        assert_eq!(texts(dir.path()), [(2, "new".to_owned())]);
    }

    #[test]
    fn a_long_message_becomes_several_lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = open(dir.path()).unwrap();
        writer.write(&[(None, line(&"x".repeat(2 * MAX_MESSAGE + 1))), (None, line(""))]).unwrap();
        let lengths: Vec<_> = texts(dir.path()).into_iter().map(|(_, text)| text.len()).collect();
        assert_eq!(lengths, [MAX_MESSAGE, MAX_MESSAGE, 1, 0]);
    }
}
