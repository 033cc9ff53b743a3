//! The directory that an archive unpacks into. Every name is created relative to a descriptor of
//! its parent directory, which was reached without passing through a link.

use super::attributes::{Attributes, set_attributes};
use super::entry::Receive;
use super::error::{failing, forbidden};
use super::links::check_inside;
use super::{Policy, Rule, UnpackError, UnpackOptions};
use crate::beneath::open_no_links;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown, fsetxattr,
    futimens, linkat, mkdirat, mknodat, openat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Overlayfs shows nothing of the lower layers in a directory that has this attribute.
const OPAQUE_ATTRIBUTE: &str = "trusted.overlay.opaque";

/// A tree in the making.
pub(super) struct Tree {
    root: OwnedFd,
    options: UnpackOptions,
    /// The parent of the last entry; entries mostly come directory by directory.
    parent: Option<(PathBuf, OwnedFd)>,
    /// Directories whose times are set last, since each entry made in them changes it.
    times: Vec<(PathBuf, Timestamps)>,
    /// Symbolic links of sources, to be judged when all is there.
    links: Vec<PathBuf>,
    left_out: u64,
}

impl Tree {
    pub(super) fn new(root: OwnedFd, options: UnpackOptions) -> Self {
        Self { root, options, parent: None, times: Vec::new(), links: Vec::new(), left_out: 0 }
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    fn is_layer(&self) -> bool {
        self.options.policy == Policy::Layer
    }

    /// Sets directories' times, brings a single root up and judges the links.
    pub(super) fn finish(&mut self, target: &Path) -> Result<(), UnpackError> {
        self.parent = None;
        for (path, times) in std::mem::take(&mut self.times).into_iter().rev() {
            // One that an entry after it replaced has no time to be set.
            if let Ok(directory) = open_no_links(&self.root, &path, OFlags::DIRECTORY) {
                futimens(&directory, &times).map_err(failing(&path))?;
            }
        }
        if let Policy::Source { uid, gid } | Policy::Slug { uid, gid } = self.options.policy {
            let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            fchown(&self.root, uid, gid).map_err(failing(target))?;
        }
        let mut links = std::mem::take(&mut self.links);
        if self.options.single_root
            && let Some(single) = descend(target)?
        {
            links =
                links.iter().filter_map(|link| Some(link.strip_prefix(&single).ok()?.to_owned())).collect();
        }
        for link in links {
            // One that an entry after it replaced is no link any more.
            let kind = statat(&self.root, &link, AtFlags::SYMLINK_NOFOLLOW);
            if kind.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink) {
                check_inside(&self.root, &link)?;
            }
        }
        Ok(())
    }

    /// Owner and time of what has no descriptor to set them by.
    fn dress(&mut self, path: &Path, attributes: &Attributes) -> Result<(), UnpackError> {
        let fail = failing(path);
        let name = path.file_name().unwrap_or_default();
        let parent = self.parent(path)?;
        let (uid, gid) = attributes.owner();
        chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?;
        utimensat(parent, name, &attributes.times(), AtFlags::SYMLINK_NOFOLLOW).map_err(fail)
    }

    /// The directory that `path` lies in, made with its own parents where an archive has not
    /// mentioned them.
    fn parent(&mut self, path: &Path) -> Result<BorrowedFd<'_>, UnpackError> {
        let above = path.parent().unwrap_or(Path::new(""));
        if self.parent.as_ref().is_none_or(|(cached, _)| cached != above) {
            let opened = match open_no_links(&self.root, above, OFlags::DIRECTORY) {
                Err(Errno::NOENT) => self.make_parents(above),
                result => result,
            };
            let opened = opened.map_err(failing(path))?;
            self.parent = Some((above.to_owned(), opened));
        }
        match &self.parent {
            Some((_, parent)) => Ok(parent.as_fd()),
            None => Ok(self.root.as_fd()),
        }
    }

    fn make_parents(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let owner = match self.options.policy {
            Policy::Source { uid, gid } | Policy::Slug { uid, gid } => (uid, gid),
            Policy::Layer => (0, 0),
        };
        let mut directory = self.root.try_clone().map_err(|_| Errno::MFILE)?;
        for name in path {
            match mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => {
                    let (uid, gid) = (Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.1)));
                    chownat(&directory, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            directory = open_no_links(&directory, Path::new(name), OFlags::DIRECTORY)?;
        }
        Ok(directory)
    }

    /// Removes what an earlier entry put at `path`; the later one wins. Returns the name to create.
    fn make_room(&mut self, path: &Path) -> Result<std::ffi::OsString, UnpackError> {
        let name = path.file_name().unwrap_or_default().to_owned();
        if kind_at(self.parent(path)?, &name).is_some() {
            self.remove(path)?;
        }
        Ok(name)
    }

    fn remove(&mut self, path: &Path) -> Result<(), UnpackError> {
        let name = path.file_name().unwrap_or_default();
        let parent = self.parent(path)?;
        if kind_at(parent, name) == Some(FileType::Directory) {
            // By descriptor and one name, so that no part of the way can be a link.
            let by_fd = Path::new("/proc/self/fd").join(parent.as_raw_fd().to_string()).join(name);
            std::fs::remove_dir_all(by_fd)
                .map_err(|source| UnpackError::Write { entry: path.display().to_string(), source })?;
        } else {
            unlinkat(parent, name, AtFlags::empty()).map_err(failing(path))?;
        }
        // It may be, or lie in, what was just removed.
        self.parent = None;
        Ok(())
    }

    /// Does what a whiteout file asks for. False when `path` is none.
    ///
    /// In an archive `.wh.NAME` hides NAME of the lower layers and `.wh..wh..opq` hides all they
    /// have in its directory (OCI image specification, "Whiteouts"); overlayfs says the same with
    /// a 0:0 character device and with an attribute.
    fn whiteout(&mut self, path: &Path) -> Result<bool, UnpackError> {
        let name = path.file_name().unwrap_or_default().as_bytes();
        let Some(hidden) = name.strip_prefix(WHITEOUT) else { return Ok(false) };
        if name == OPAQUE {
            let above = path.parent().unwrap_or(Path::new("")).to_owned();
            self.parent(path)?;
            self.opaque(&above)?;
            return Ok(true);
        }
        let hidden = OsStr::from_bytes(hidden);
        if hidden.is_empty() || hidden == "." || hidden == ".." {
            return Err(forbidden(path, Rule::UnknownKind));
        }
        let parent = self.parent(path)?;
        match kind_at(parent, hidden) {
            None => {
                mknodat(parent, hidden, FileType::CharacterDevice, Mode::empty(), 0)
                    .map_err(failing(path))?;
            }
            // Whiteouts concern lower layers only: what this one brings stays, but alone.
            Some(FileType::Directory) => self.opaque(&path.with_file_name(hidden))?,
            Some(_) => {}
        }
        Ok(true)
    }

    fn opaque(&self, path: &Path) -> Result<(), UnpackError> {
        let directory = open_no_links(&self.root, path, OFlags::DIRECTORY).map_err(failing(path))?;
        fsetxattr(&directory, OPAQUE_ATTRIBUTE, b"y", XattrFlags::empty()).map_err(failing(path))
    }
}

impl Receive for Tree {
    fn policy(&self) -> Policy {
        self.options.policy
    }

    fn directory(&mut self, path: &Path, attributes: &Attributes) -> Result<(), UnpackError> {
        let fail = failing(path);
        let made;
        let directory: BorrowedFd<'_> = if let Some(name) = path.file_name() {
            let parent = self.parent(path)?;
            match mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
                Ok(()) => {}
                Err(Errno::EXIST) if kind_at(parent, name) == Some(FileType::Directory) => {}
                Err(Errno::EXIST) => {
                    let whiteout = is_whiteout(parent, name);
                    self.remove(path)?;
                    mkdirat(self.parent(path)?, name, Mode::from_raw_mode(0o700)).map_err(fail)?;
                    if whiteout {
                        self.opaque(path)?;
                    }
                }
                Err(errno) => return Err(fail(errno)),
            }
            made = open_no_links(&self.root, path, OFlags::DIRECTORY).map_err(fail)?;
            made.as_fd()
        } else {
            self.root.as_fd()
        };
        // The owner of the tree must be able to work in it.
        let mode = if self.is_layer() { attributes.mode } else { attributes.mode | 0o700 };
        let (uid, gid) = attributes.owner();
        fchown(directory, uid, gid).map_err(fail)?;
        fchmod(directory, Mode::from_raw_mode(mode)).map_err(fail)?;
        set_attributes(directory, attributes, path)?;
        if self.is_layer() {
            self.times.push((path.to_owned(), attributes.times()));
        }
        Ok(())
    }

    fn file(
        &mut self,
        path: &Path,
        content: &mut impl Read,
        size: u64,
        attributes: &Attributes,
    ) -> Result<(), UnpackError> {
        let fail = failing(path);
        if self.is_layer() && self.whiteout(path)? {
            return Ok(());
        }
        let name = self.make_room(path)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(self.parent(path)?, &name, flags, Mode::from_raw_mode(0o600)).map_err(fail)?;
        let mut file = File::from(file);
        let copied = copy(content, &mut file, path)?;
        if copied != size {
            return Err(UnpackError::Read(io::ErrorKind::UnexpectedEof.into()));
        }
        let mode = if self.is_layer() { attributes.mode } else { attributes.mode | 0o600 };
        let (uid, gid) = attributes.owner();
        // In this order: a change of owner takes setuid bits and capabilities away.
        fchown(&file, uid, gid).map_err(fail)?;
        fchmod(&file, Mode::from_raw_mode(mode)).map_err(fail)?;
        set_attributes(&file, attributes, path)?;
        futimens(&file, &attributes.times()).map_err(fail)
    }

    fn symlink(&mut self, path: &Path, target: &OsStr, attributes: &Attributes) -> Result<(), UnpackError> {
        let fail = failing(path);
        if target.is_empty() || target.as_bytes().contains(&0) {
            let target = target.to_string_lossy().into_owned();
            return Err(forbidden(path, Rule::LinkLeaves { target }));
        }
        let name = self.make_room(path)?;
        symlinkat(target, self.parent(path)?, &name).map_err(fail)?;
        if matches!(self.options.policy, Policy::Source { .. }) {
            self.links.push(path.to_owned());
        }
        self.dress(path, attributes)
    }

    fn hard_link(&mut self, path: &Path, target: &Path) -> Result<(), UnpackError> {
        let fail = failing(path);
        let bad = || forbidden(path, Rule::HardLinkTarget { target: target.display().to_string() });
        let target_name = target.file_name().ok_or_else(bad)?;
        let above = target.parent().unwrap_or(Path::new(""));
        let target_parent =
            open_no_links(&self.root, above, OFlags::DIRECTORY | OFlags::PATH).map_err(|_| bad())?;
        match kind_at(&target_parent, target_name) {
            Some(FileType::RegularFile) => {}
            Some(FileType::Symlink | FileType::Fifo) if self.is_layer() => {}
            _ => return Err(bad()),
        }
        if path == target {
            return Ok(());
        }
        let name = self.make_room(path)?;
        match linkat(&target_parent, target_name, self.parent(path)?, &name, AtFlags::empty()) {
            // The target was what had to make room.
            Err(Errno::NOENT) => Err(bad()),
            result => result.map_err(fail),
        }
    }

    fn fifo(&mut self, path: &Path, attributes: &Attributes) -> Result<(), UnpackError> {
        if !self.is_layer() {
            return Err(forbidden(path, Rule::Fifo));
        }
        let name = self.make_room(path)?;
        let mode = Mode::from_raw_mode(attributes.mode);
        mknodat(self.parent(path)?, &name, FileType::Fifo, mode, 0).map_err(failing(path))?;
        self.dress(path, attributes)
    }

    fn device(&mut self, path: &Path) -> Result<(), UnpackError> {
        if !self.is_layer() {
            return Err(forbidden(path, Rule::Device));
        }
        self.left_out += 1;
        Ok(())
    }
}

/// When the only thing in the tree is a directory, puts its content in its place.
fn descend(target: &Path) -> Result<Option<PathBuf>, UnpackError> {
    let fail = |source| UnpackError::Write { entry: target.display().to_string(), source };
    let list = |path: &Path| std::fs::read_dir(path)?.collect::<io::Result<Vec<_>>>();
    let names = list(target).map_err(fail)?;
    let [single] = names.as_slice() else { return Ok(None) };
    if !single.file_type().map_err(fail)?.is_dir() {
        return Ok(None);
    }
    // Away with its name first: its content may well have one of the same name.
    let aside = target.join(format!(".unpacking-{}", uuid::Uuid::new_v4()));
    std::fs::rename(single.path(), &aside).map_err(fail)?;
    for child in list(&aside).map_err(fail)? {
        std::fs::rename(child.path(), target.join(child.file_name())).map_err(fail)?;
    }
    std::fs::remove_dir(&aside).map_err(fail)?;
    Ok(Some(PathBuf::from(single.file_name())))
}

/// Copies an entry's content, telling whose fault an error is.
fn copy(content: &mut impl Read, file: &mut File, path: &Path) -> Result<u64, UnpackError> {
    use std::io::Write;
    let mut buffer = vec![0; 64 << 10];
    let mut copied = 0;
    loop {
        let count = match content.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnpackError::Read(error)),
        };
        file.write_all(&buffer[..count])
            .map_err(|source| UnpackError::Write { entry: path.display().to_string(), source })?;
        copied += count as u64;
    }
}

fn kind_at(parent: impl AsFd, name: &OsStr) -> Option<FileType> {
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

fn is_whiteout(parent: impl AsFd, name: &OsStr) -> bool {
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
    })
}
