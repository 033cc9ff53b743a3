//! Readers that keep the limits while an archive streams through.

use super::{Limits, TooMuch, UnpackError};
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;
use std::time::Instant;

/// Bytes that may be read between two entries: headers, long names, PAX records, sparse maps. The
/// parser holds them in memory.
const METADATA: u64 = 1 << 20;
/// Small archives may compress as well as they like.
const RATIO_FROM: u64 = 64 << 20;

/// What is counted, shared by the readers and whoever unpacks.
#[derive(Clone)]
pub(super) struct Meter(Rc<Counts>);

struct Counts {
    limits: Limits,
    started: Instant,
    /// Bytes read before decompression.
    compressed: Rc<Cell<u64>>,
    archive_bytes: Cell<u64>,
    file_bytes: Cell<u64>,
    entries: Cell<u64>,
    /// Bytes that may still be read as metadata; `None` while data is read.
    metadata: Cell<Option<u64>>,
    tripped: Cell<Option<TooMuch>>,
}

impl Meter {
    pub(super) fn new(limits: Limits, compressed: Rc<Cell<u64>>) -> Self {
        Self(Rc::new(Counts {
            limits,
            started: Instant::now(),
            compressed,
            archive_bytes: Cell::new(0),
            file_bytes: Cell::new(0),
            entries: Cell::new(0),
            metadata: Cell::new(None),
            tripped: Cell::new(None),
        }))
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(super) fn entries(&self) -> u64 {
        self.0.entries.get()
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.0.file_bytes.get()
    }

    pub(super) fn begin_metadata(&self) {
        self.0.metadata.set(Some(METADATA));
    }

    pub(super) fn begin_data(&self) {
        self.0.metadata.set(None);
    }

    /// The limit that a read ran into.
    pub(super) fn tripped(&self) -> Option<UnpackError> {
        self.0.tripped.get().map(UnpackError::TooMuch)
    }

    /// Counts an entry that will have `size` bytes on disk, before any of it is written.
    pub(super) fn add_entry(&self, size: u64) -> Result<(), UnpackError> {
        let Limits { entries, bytes, .. } = self.0.limits;
        self.0.entries.set(self.0.entries.get() + 1);
        if self.0.entries.get() > entries {
            return Err(UnpackError::TooMuch(TooMuch::Entries(entries)));
        }
        self.0.file_bytes.set(self.0.file_bytes.get().saturating_add(size));
        if self.0.file_bytes.get() > bytes {
            return Err(UnpackError::TooMuch(TooMuch::Bytes(bytes)));
        }
        Ok(())
    }

    /// Counts archive bytes; says which limit they break.
    fn add_read(&self, count: u64) -> Option<TooMuch> {
        let counts = &self.0;
        let Limits { bytes, ratio, time, .. } = counts.limits;
        let total = counts.archive_bytes.get() + count;
        counts.archive_bytes.set(total);
        if let Some(left) = counts.metadata.get() {
            let Some(left) = left.checked_sub(count) else { return Some(TooMuch::Metadata(METADATA)) };
            counts.metadata.set(Some(left));
        }
        // Headers and padding come on top of the files: 2 KiB each.
        if total > bytes.saturating_add(counts.limits.entries.saturating_mul(2048)) {
            return Some(TooMuch::Bytes(bytes));
        }
        if total > RATIO_FROM && total / counts.compressed.get().max(1) > ratio {
            return Some(TooMuch::Ratio(ratio));
        }
        (counts.started.elapsed() > time).then_some(TooMuch::Seconds(time.as_secs()))
    }
}

/// The archive's bytes, under the eyes of a [`Meter`].
pub(super) struct Guard<R> {
    inner: R,
    meter: Meter,
}

impl<R> Guard<R> {
    pub(super) fn new(inner: R, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.meter.add_read(count as u64) {
            None => Ok(count),
            Some(too_much) => {
                self.meter.0.tripped.set(Some(too_much));
                Err(io::Error::other(too_much.to_string()))
            }
        }
    }
}

/// Counts what is read.
pub(crate) struct Counting<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R> Counting<R> {
    pub(crate) fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let count = Rc::<Cell<u64>>::default();
        (Self { inner, count: Rc::clone(&count) }, count)
    }
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}
