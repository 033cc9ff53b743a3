//! What comes out of a build container: archives through named pipes.
//!
//! The pipes lie in the working directory that the container sees read-only: it can write into
//! them, but neither replace nor remove them. Whatever arrives is a stranger's archive and is
//! unpacked as one, but for a layer of Debian's packages, which no app has a hand in.

use crate::source::OWNER;
use crate::work::{Work, give_to_owner};
use crate::{BuildError, Builder};
use image::{Compression, ImageStore, Layer, Limits, PackOptions, StoreError, UnpackOptions, unpack};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use tokio::task::JoinHandle;

/// An archive that a phase may send.
#[derive(Clone, Debug)]
pub(crate) struct Pipe {
    /// The container writes into `/kigo/pipes/<name>`.
    pub(crate) name: &'static str,
    /// Bytes at most.
    limit: u64,
    /// Files, directories and links at most, if others than are usual.
    entries: Option<u64>,
    kind: Kind,
    /// What is too large, or damaged, is left: the build goes on without it.
    pub(crate) optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Tree,
    /// Files of a stranger's, of which a layer is made.
    Packed(PackOptions),
    /// A layer as it is.
    Layer,
}

/// What was sent.
#[derive(Debug)]
pub(crate) enum Sent {
    /// Files of a stranger's, unpacked, and their bytes.
    Tree(PathBuf, u64),
    Layer(Layer),
}

impl Pipe {
    /// Files, of at most `limit` bytes.
    pub(crate) fn tree(name: &'static str, limit: u64) -> Self {
        Self { name, limit, entries: None, kind: Kind::Tree, optional: false }
    }

    /// Files, of at most `limit` bytes, that become a layer below `place` as they come: they are the
    /// app's user's, and have the time `modified`.
    pub(crate) fn packed(name: &'static str, limit: u64, place: &str, modified: u64) -> Self {
        let options = PackOptions { prefix: place.into(), ..PackOptions::app(modified) };
        Self { kind: Kind::Packed(options), ..Self::tree(name, limit) }
    }

    /// Files without which the build is but slower.
    pub(crate) fn optional(name: &'static str, limit: u64) -> Self {
        Self { optional: true, ..Self::tree(name, limit) }
    }

    /// A layer, with owners and whiteouts as they are.
    pub(crate) fn layer(name: &'static str) -> Self {
        Self { name, limit: u64::MAX, entries: None, kind: Kind::Layer, optional: false }
    }

    /// With at most so many files, directories and links.
    pub(crate) fn with_entries(self, entries: u64) -> Self {
        Self { entries: Some(entries), ..self }
    }
}

/// A pipe whose reader waits.
pub(crate) struct Open {
    pub(crate) pipe: Pipe,
    /// An open end for writing: as long as it is there, the reader does not take a silent container
    /// for the end.
    keeper: OwnedFd,
    reader: JoinHandle<Result<Option<Sent>, BuildError>>,
}

impl Open {
    /// Makes the pipe and waits there for an archive, which is taken over while it comes.
    pub(crate) fn make(builder: &Builder, work: &Work, pipe: Pipe) -> Result<Self, BuildError> {
        let path = work.inside("pipes").join(pipe.name);
        let target =
            work.fresh_output(pipe.name).map_err(BuildError::system("making room for a build's result"))?;
        let make = || {
            let nonblocking = OFlags::NONBLOCK | OFlags::CLOEXEC;
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
            give_to_owner(&path, 0o600)?;
            // In this order neither waits for the other.
            let end = rustix::fs::open(&path, OFlags::RDONLY | nonblocking, Mode::empty())?;
            let keeper = rustix::fs::open(&path, OFlags::WRONLY | nonblocking, Mode::empty())?;
            rustix::fs::fcntl_setfl(&end, OFlags::empty())?;
            Ok((File::from(end), keeper))
        };
        let (end, keeper) = make().map_err(BuildError::system("making a pipe for a build's result"))?;
        let usual = Limits::default();
        let entries = pipe.entries.unwrap_or(usual.entries);
        let limits = Limits { bytes: pipe.limit, entries, time: builder.settings.timeout, ..usual };
        let images = builder.images.clone();
        let kind = pipe.kind.clone();
        let reader = tokio::task::spawn_blocking(move || match kind {
            Kind::Tree => receive(end, target, limits),
            Kind::Packed(options) => receive_packed(end, &images, limits, &options),
            Kind::Layer => receive_layer(end, &images),
        });
        Ok(Self { pipe, keeper, reader })
    }

    /// Once no container can write any more: what was sent, or `None` if nothing was.
    pub(crate) async fn finish(self) -> Result<Option<Sent>, BuildError> {
        drop(self.keeper);
        match self.reader.await {
            Ok(result) => result,
            Err(error) => Err(BuildError::Container(format!("the reader of its result failed: {error}"))),
        }
    }
}

fn receive(mut file: File, target: PathBuf, limits: Limits) -> Result<Option<Sent>, BuildError> {
    let Some(head) = head(&mut file)? else { return Ok(None) };
    let options = UnpackOptions { limits, ..UnpackOptions::slug(OWNER, OWNER) };
    let result = unpack(head.as_slice().chain(&mut file), &target, &options);
    drain(&mut file);
    let unpacked = result.map_err(BuildError::Result)?;
    Ok(Some(Sent::Tree(target, unpacked.bytes)))
}

fn receive_packed(
    mut file: File,
    images: &ImageStore,
    limits: Limits,
    options: &PackOptions,
) -> Result<Option<Sent>, BuildError> {
    let Some(head) = head(&mut file)? else { return Ok(None) };
    let archive = BufReader::with_capacity(1 << 20, head.as_slice().chain(&mut file));
    let result = images.add_layer_from_archive(archive, limits, options, Compression::Zstd);
    drain(&mut file);
    match result {
        Ok(layer) => Ok(Some(Sent::Layer(layer))),
        Err(StoreError::Unpack(error)) => Err(BuildError::Result(error)),
        Err(error) => Err(error.into()),
    }
}

fn receive_layer(mut file: File, images: &ImageStore) -> Result<Option<Sent>, BuildError> {
    let Some(head) = head(&mut file)? else { return Ok(None) };
    let archive = BufReader::with_capacity(1 << 20, head.as_slice().chain(&mut file));
    let compressed = zstd::stream::read::Encoder::with_buffer(archive, 3);
    let layer = compressed
        .map_err(BuildError::system("compressing a layer"))
        .and_then(|compressed| Ok(images.add_layer(compressed)?));
    drain(&mut file);
    layer.map(|layer| Some(Sent::Layer(layer)))
}

/// The first bytes; `None` at the end.
fn head(file: &mut File) -> Result<Option<Vec<u8>>, BuildError> {
    let mut head = vec![0; 4096];
    let first = file.read(&mut head).map_err(BuildError::system("reading a build's result"))?;
    head.truncate(first);
    Ok((first > 0).then_some(head))
}

/// A writer must not be stopped by our error: its exit status says more.
fn drain(file: &mut File) {
    let _ = std::io::copy(file, &mut std::io::sink());
}
