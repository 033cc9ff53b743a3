//! Archives that strangers made become files here, and nowhere else.
//!
//! The `tar` crate only parses. Every name is opened relative to the target directory with
//! `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`, so that no entry can be written through a link
//! or outside, whatever its path says. What a kind of archive may contain is its [`Policy`]; how
//! much, its [`Limits`]. An archive that breaks a rule leaves nothing behind.

mod attributes;
mod entry;
mod error;
mod guard;
mod links;
mod repack;
#[cfg(test)]
mod tests;
mod tree;

pub use error::{Rule, TooMuch, UnpackError};
pub(crate) use repack::repack;

use crate::beneath::open_directory;
use crate::compression::{Compression, peek};
use entry::{Receive, receive_entry};
pub(crate) use guard::Counting;
use guard::{Guard, Meter};
use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use tree::Tree;

/// What an archive may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Sources: directories, files and links that stay inside. All belong to one owner; setuid,
    /// setgid and sticky bits, times of directories, attributes are dropped.
    Source { uid: u32, gid: u32 },
    /// As `Source`, but a symbolic link may point anywhere: it is followed only inside a container.
    Slug { uid: u32, gid: u32 },
    /// An image's layer: owners, modes, times, capabilities and `user.*` attributes as the archive
    /// has them; whiteouts become what overlayfs understands. Device nodes are left out, for a
    /// container gets its own `/dev`.
    Layer,
}

/// How much an archive may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, both of the decompressed archive and of its files by apparent size.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
    /// Names in one path.
    pub depth: usize,
    /// How many times larger than what was read the archive may become, once it is over 64 MiB.
    pub ratio: u64,
    /// How long it may take.
    pub time: Duration,
}

impl Default for Limits {
    /// For sources and slugs.
    fn default() -> Self {
        Self { bytes: 4 << 30, entries: 500_000, depth: 128, ratio: 500, time: Duration::from_mins(10) }
    }
}

/// How to unpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackOptions {
    pub policy: Policy,
    pub limits: Limits,
    /// When all there is lies in one directory, as in archives of GitHub, its content becomes the
    /// root.
    pub single_root: bool,
}

impl UnpackOptions {
    /// For layers that the platform or its operators brought, or that were admitted before.
    pub fn layer() -> Self {
        let limits = Limits {
            bytes: 64 << 30,
            entries: 4_000_000,
            depth: 256,
            ratio: 100_000,
            time: Duration::from_hours(1),
        };
        Self { policy: Policy::Layer, limits, single_root: false }
    }

    /// For layers that a stranger brought.
    pub fn strange_layer(limits: Limits) -> Self {
        Self { policy: Policy::Layer, limits, single_root: false }
    }

    /// For sources, with the default limits, to be owned by `uid` and `gid`.
    pub fn source(uid: u32, gid: u32) -> Self {
        Self { policy: Policy::Source { uid, gid }, limits: Limits::default(), single_root: true }
    }

    /// For slugs that were made elsewhere, with the default limits.
    pub fn slug(uid: u32, gid: u32) -> Self {
        Self { policy: Policy::Slug { uid, gid }, limits: Limits::default(), single_root: false }
    }
}

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    pub entries: u64,
    /// Bytes of files, by apparent size.
    pub bytes: u64,
    /// Device nodes left out.
    pub left_out: u64,
}

/// Unpacks a tar archive, plain or compressed with gzip or zstd, into the existing empty directory
/// `target`. After an error `target` is empty again.
pub fn unpack(reader: impl Read, target: &Path, options: &UnpackOptions) -> Result<Unpacked, UnpackError> {
    let (compressed, counter) = Counting::new(reader);
    let (head, reader) = peek(compressed).map_err(UnpackError::Read)?;
    let format = Compression::of(&head).map_err(|format| UnpackError::Format { format })?;
    let decoder = format.decoder(reader).map_err(UnpackError::Read)?;
    let meter = Meter::new(options.limits, counter);
    unpack_metered(decoder, &meter, target, options)
}

/// As [`unpack`], for an archive that is decompressed already, from so many bytes as the counter says.
pub(crate) fn unpack_archive(
    reader: impl Read,
    compressed: Rc<Cell<u64>>,
    target: &Path,
    options: &UnpackOptions,
) -> Result<Unpacked, UnpackError> {
    unpack_metered(reader, &Meter::new(options.limits, compressed), target, options)
}

fn unpack_metered(
    reader: impl Read,
    meter: &Meter,
    target: &Path,
    options: &UnpackOptions,
) -> Result<Unpacked, UnpackError> {
    let write = |source| UnpackError::Write { entry: target.display().to_string(), source };
    let root = open_directory(target).map_err(|errno| write(errno.into()))?;
    if std::fs::read_dir(target).map_err(write)?.next().is_some() {
        return Err(write(io::ErrorKind::DirectoryNotEmpty.into()));
    }
    let result = unpack_into(reader, meter, Tree::new(root, *options), target);
    // The limit that was hit explains better than the I/O error by which it was noticed.
    let result = result.map_err(|error| meter.tripped().unwrap_or(error));
    if result.is_err() {
        clear(target).map_err(write)?;
    }
    result
}

fn unpack_into(
    reader: impl Read,
    meter: &Meter,
    mut tree: Tree,
    target: &Path,
) -> Result<Unpacked, UnpackError> {
    walk(reader, meter, &mut tree)?;
    // A layer that changes nothing is one all the same.
    if meter.entries() == 0 && tree.policy() != Policy::Layer {
        return Err(UnpackError::Empty);
    }
    tree.finish(target)?;
    Ok(Unpacked { entries: meter.entries(), bytes: meter.file_bytes(), left_out: tree.left_out() })
}

/// Hands all entries of an archive on.
fn walk(reader: impl Read, meter: &Meter, receiver: &mut impl Receive) -> Result<(), UnpackError> {
    let guard = Guard::new(BufReader::with_capacity(128 << 10, reader), meter.clone());
    let mut archive = tar::Archive::new(guard);
    let mut entries = archive.entries().map_err(UnpackError::Read)?;
    loop {
        // Between entries only names and attributes are read, which the parser keeps in memory.
        meter.begin_metadata();
        let Some(entry) = entries.next() else { break };
        let entry = entry.map_err(UnpackError::Read)?;
        meter.begin_data();
        receive_entry(entry, receiver, meter)?;
    }
    meter.begin_data();
    // To the end: who reads along hashes the whole stream.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(UnpackError::Read)?;
    Ok(())
}

/// Empties a directory.
fn clear(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
