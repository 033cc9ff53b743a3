//! A directory becomes an archive whose bytes depend on nothing but its content: entries sorted,
//! times and owners as told, no name of a machine or a user in it.

use crate::beneath::{open_directory, open_no_links};
use crate::blobs::Hashing;
use crate::compression::Compression;
use crate::store::is_disk_full;
use domain::Digest;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat, readlinkat, statat};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use tar::{EntryType, Header};

/// Nested directories at most: each one open holds a descriptor, and unpacking has a limit too.
const DEPTH: usize = 200;

/// How to pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackOptions {
    /// Where the directory's content lies in the archive, for example `app`; empty for the root.
    pub prefix: PathBuf,
    /// User and group of every entry; `None` keeps those on disk.
    pub owner: Option<(u32, u32)>,
    /// Seconds since 1970 that every entry carries; `None` keeps those on disk, to the second. Web
    /// servers make validators of times and sizes, so the time of the source is better than a
    /// constant.
    pub modified: Option<u64>,
}

impl PackOptions {
    /// An app layer: under `app/`, owned by the dyno's user, with the time of its source.
    pub fn app(modified: u64) -> Self {
        Self { prefix: "app".into(), owner: Some((1000, 1000)), modified: Some(modified) }
    }
}

/// An archive that was written.
#[derive(Debug)]
pub struct Packed<W> {
    pub writer: W,
    /// Digest of the archive before compression.
    pub diff_id: Digest,
    /// Bytes of the archive before compression.
    pub size: u64,
    /// Sockets, pipes and devices, which an archive of an app has no use for.
    pub left_out: u64,
}

/// Why a directory was not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("cannot read {path:?}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path:?} lies more than {limit} directories deep")]
    TooDeep { path: PathBuf, limit: usize },
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
}

impl PackError {
    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Write(source) if is_disk_full(source))
    }
}

/// Packs a directory as a tar archive. No link is followed on the way.
pub fn pack<W: Write>(
    directory: &Path,
    writer: W,
    options: &PackOptions,
    compression: Compression,
) -> Result<Packed<W>, PackError> {
    let root = open_directory(directory)
        .map_err(|errno| PackError::Read { path: directory.to_owned(), source: errno.into() })?;
    let encoder = compression.encoder(io::BufWriter::with_capacity(128 << 10, writer));
    let archive = tar::Builder::new(Hashing::new(encoder.map_err(PackError::Write)?));
    let mut packer = Packer { archive, options, hard_links: HashMap::new(), left_out: 0 };
    packer.prefixes(&root)?;
    packer.children(&root, Path::new(""))?;
    let left_out = packer.left_out;
    let finished = packer.archive.into_inner().map_err(PackError::Write)?;
    let (encoder, diff_id, size) = finished.finish();
    let buffered = encoder.finish().map_err(PackError::Write)?;
    let writer = buffered.into_inner().map_err(|error| PackError::Write(error.into_error()))?;
    Ok(Packed { writer, diff_id, size, left_out })
}

struct Packer<'o, W: Write> {
    archive: tar::Builder<Hashing<W>>,
    options: &'o PackOptions,
    /// Device and inode of files with several names → the first name in the archive.
    hard_links: HashMap<(u64, u64), PathBuf>,
    left_out: u64,
}

impl<W: Write> Packer<'_, W> {
    /// The directories of the prefix; the last one is the packed directory itself.
    fn prefixes(&mut self, root: &OwnedFd) -> Result<(), PackError> {
        let stat = rustix::fs::fstat(root).map_err(reading(Path::new(".")))?;
        let prefix = self.options.prefix.clone();
        let mut path = PathBuf::new();
        for name in &prefix {
            path.push(name);
            let last = path == prefix;
            let mut header = self.header(&stat, EntryType::Directory, 0);
            header.set_mode(if last { stat.st_mode & 0o7777 } else { 0o755 });
            if !last && self.options.owner.is_none() {
                header.set_uid(0);
                header.set_gid(0);
            }
            self.append(header, &path, None, io::empty())?;
        }
        Ok(())
    }

    fn children(&mut self, directory: &OwnedFd, path: &Path) -> Result<(), PackError> {
        let fail = reading(path);
        if path.components().count() > DEPTH {
            return Err(PackError::TooDeep { path: path.to_owned(), limit: DEPTH });
        }
        let mut names = Vec::new();
        for entry in Dir::read_from(directory).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        for name in names {
            self.child(directory, &path.join(&name), &name)?;
        }
        Ok(())
    }

    fn child(&mut self, parent: &OwnedFd, path: &Path, name: &OsStr) -> Result<(), PackError> {
        let fail = reading(path);
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?;
        let inside = self.options.prefix.join(path);
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            let header = self.header(&stat, EntryType::Directory, 0);
            self.append(header, &inside, None, io::empty())?;
            let directory = open_no_links(parent, Path::new(name), OFlags::DIRECTORY).map_err(fail)?;
            return self.children(&directory, path);
        }
        if !matches!(kind, FileType::RegularFile | FileType::Symlink) {
            self.left_out += 1;
            return Ok(());
        }
        if stat.st_nlink > 1 {
            if let Some(first) = self.hard_links.get(&(stat.st_dev, stat.st_ino)).cloned() {
                let header = self.header(&stat, EntryType::Link, 0);
                return self.append(header, &inside, Some(first.as_os_str()), io::empty());
            }
            self.hard_links.insert((stat.st_dev, stat.st_ino), inside.clone());
        }
        if kind == FileType::Symlink {
            let target = readlinkat(parent, name, Vec::new()).map_err(fail)?;
            let header = self.header(&stat, EntryType::Symlink, 0);
            let target = OsString::from_vec(target.into_bytes());
            return self.append(header, &inside, Some(&target), io::empty());
        }
        let file = open_no_links(parent, Path::new(name), OFlags::RDONLY | OFlags::NONBLOCK).map_err(fail)?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let header = self.header(&stat, EntryType::Regular, size);
        let mut content = Exactly { file: File::from(file).take(size), missing: size, failed: None };
        let result = self.append(header, &inside, None, &mut content);
        match content.failed {
            Some(source) => Err(PackError::Read { path: path.to_owned(), source }),
            None => result,
        }
    }

    fn header(&self, stat: &Stat, kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        let (uid, gid) = self.options.owner.unwrap_or((stat.st_uid, stat.st_gid));
        header.set_entry_type(kind);
        header.set_size(size);
        // The kernel ignores a link's mode, and file systems differ in it.
        header.set_mode(if kind == EntryType::Symlink { 0o777 } else { stat.st_mode & 0o7777 });
        header.set_uid(uid.into());
        header.set_gid(gid.into());
        let on_disk = || u64::try_from(stat.st_mtime).unwrap_or(0);
        header.set_mtime(self.options.modified.unwrap_or_else(on_disk));
        header
    }

    fn append(
        &mut self,
        mut header: Header,
        path: &Path,
        link: Option<&OsStr>,
        content: impl Read,
    ) -> Result<(), PackError> {
        match link {
            Some(target) => self.archive.append_link(&mut header, path, target),
            None => self.archive.append_data(&mut header, path, content),
        }
        .map_err(PackError::Write)
    }
}

/// A file's content, as long as the header promised: a file that shrinks meanwhile is an error,
/// for the rest of the archive would be read from the wrong place.
struct Exactly {
    file: io::Take<File>,
    missing: u64,
    failed: Option<io::Error>,
}

impl Read for &mut Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = match self.file.read(buffer) {
            Ok(0) if self.missing > 0 && !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            result => result,
        };
        match result {
            Ok(count) => {
                self.missing -= count as u64;
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}

fn reading(path: &Path) -> impl Fn(rustix::io::Errno) -> PackError + Copy + '_ {
    move |errno| PackError::Read { path: path.to_owned(), source: errno.into() }
}
