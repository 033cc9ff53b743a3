//! A stranger's archive becomes one of ours while it comes, and nothing of it a file meanwhile.
//!
//! What unpacking it and packing the directory again would give, in the order of the archive. In a file
//! system the later of two entries takes the earlier one's place; a stream cannot take anything back, and
//! refuses what no honest tool writes: a name that comes twice, unless both are directories, of which the
//! first one counts.

use super::attributes::Attributes;
use super::entry::Receive;
use super::error::forbidden;
use super::guard::{Counting, Meter};
use super::{Limits, Policy, Rule, UnpackError, walk};
use crate::pack::PackOptions;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tar::{EntryType, Header};

/// Writes the entries of `archive`, a tar archive without compression, into a new one: below the
/// prefix, with the owner and the time of `options` (those of the archive where there are none), and
/// neither special bits nor attributes. As slugs are, it is read by the rules of [`Policy::Slug`].
///
/// # Errors
/// As [`unpack`](super::unpack); [`UnpackError::Write`] is the writer's.
pub(crate) fn repack<W: Write>(
    archive: impl Read,
    writer: W,
    limits: Limits,
    options: &PackOptions,
) -> Result<W, UnpackError> {
    let (archive, counter) = Counting::new(archive);
    let meter = Meter::new(limits, counter);
    let mut repacker = Repacker { archive: tar::Builder::new(writer), options, seen: Seen::default() };
    let result = repacker.prefixes().and_then(|()| walk(archive, &meter, &mut repacker));
    result.map_err(|error| meter.tripped().unwrap_or(error))?;
    if meter.entries() == 0 {
        return Err(UnpackError::Empty);
    }
    repacker.archive.into_inner().map_err(|source| UnpackError::Write { entry: String::new(), source })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    Other,
}

struct Repacker<'o, W: Write> {
    archive: tar::Builder<W>,
    options: &'o PackOptions,
    seen: Seen,
}

/// What came, by a digest of its path: paths may be long, and many.
#[derive(Default)]
struct Seen(HashMap<[u8; 16], Kind>);

impl Seen {
    fn key(path: &Path) -> [u8; 16] {
        let digest: [u8; 32] = Sha256::digest(path.as_os_str().as_bytes()).into();
        std::array::from_fn(|index| digest[index])
    }

    fn get(&self, path: &Path) -> Option<Kind> {
        self.0.get(&Self::key(path)).copied()
    }

    /// What was there before.
    fn insert(&mut self, path: &Path, kind: Kind) -> Option<Kind> {
        self.0.insert(Self::key(path), kind)
    }
}

impl<W: Write> Repacker<'_, W> {
    /// The directories above what the archive has.
    fn prefixes(&mut self) -> Result<(), UnpackError> {
        let prefix = &self.options.prefix;
        let mut above: Vec<_> = prefix.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        above.reverse();
        for path in above {
            let mut header = self.header(EntryType::Directory, 0o755, 0, 0);
            append(&mut self.archive, &mut header, path, None, io::empty())?;
        }
        Ok(())
    }

    /// Notes an entry, which must be the first one with its name, and makes the directories above it that
    /// the archive has not mentioned.
    fn note(&mut self, path: &Path, kind: Kind) -> Result<(), UnpackError> {
        if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
            match self.seen.get(above) {
                Some(Kind::Directory) => {}
                Some(_) => return Err(forbidden(path, Rule::ThroughLink)),
                None => {
                    self.note(above, Kind::Directory)?;
                    let header = self.header(EntryType::Directory, 0o755, 0, 0);
                    self.append(above, header, None, io::empty())?;
                }
            }
        }
        match self.seen.insert(path, kind) {
            None => Ok(()),
            Some(_) => Err(forbidden(path, Rule::Twice)),
        }
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64, modified: i64) -> Header {
        let mut header = Header::new_gnu();
        let (uid, gid) = self.options.owner.unwrap_or((0, 0));
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode);
        header.set_uid(uid.into());
        header.set_gid(gid.into());
        header.set_mtime(self.options.modified.unwrap_or_else(|| u64::try_from(modified).unwrap_or(0)));
        header
    }

    fn append(
        &mut self,
        path: &Path,
        mut header: Header,
        link: Option<&OsStr>,
        content: impl Read,
    ) -> Result<(), UnpackError> {
        append(&mut self.archive, &mut header, &self.options.prefix.join(path), link, content)
    }
}

impl<W: Write> Receive for Repacker<'_, W> {
    fn policy(&self) -> Policy {
        let (uid, gid) = self.options.owner.unwrap_or((0, 0));
        Policy::Slug { uid, gid }
    }

    fn directory(&mut self, path: &Path, attributes: &Attributes) -> Result<(), UnpackError> {
        // The root is the prefix, which is there.
        if path.as_os_str().is_empty() || self.seen.get(path) == Some(Kind::Directory) {
            return Ok(());
        }
        self.note(path, Kind::Directory)?;
        let header = self.header(EntryType::Directory, attributes.mode | 0o700, 0, attributes.modified.0);
        self.append(path, header, None, io::empty())
    }

    fn file(
        &mut self,
        path: &Path,
        content: &mut impl Read,
        size: u64,
        attributes: &Attributes,
    ) -> Result<(), UnpackError> {
        self.note(path, Kind::File)?;
        let header = self.header(EntryType::Regular, attributes.mode | 0o600, size, attributes.modified.0);
        let mut content = Whole { inner: content, missing: size, failed: None };
        let result = self.append(path, header, None, &mut content);
        match content.failed {
            Some(error) => Err(UnpackError::Read(error)),
            None => result,
        }
    }

    fn symlink(&mut self, path: &Path, target: &OsStr, attributes: &Attributes) -> Result<(), UnpackError> {
        if target.is_empty() || target.as_bytes().contains(&0) {
            let target = target.to_string_lossy().into_owned();
            return Err(forbidden(path, Rule::LinkLeaves { target }));
        }
        self.note(path, Kind::Other)?;
        let header = self.header(EntryType::Symlink, 0o777, 0, attributes.modified.0);
        self.append(path, header, Some(target), io::empty())
    }

    fn hard_link(&mut self, path: &Path, target: &Path) -> Result<(), UnpackError> {
        if self.seen.get(target) != Some(Kind::File) {
            let target = target.display().to_string();
            return Err(forbidden(path, Rule::HardLinkTarget { target }));
        }
        self.note(path, Kind::File)?;
        let header = self.header(EntryType::Link, 0o644, 0, 0);
        let target = self.options.prefix.join(target);
        self.append(path, header, Some(target.as_os_str()), io::empty())
    }

    fn fifo(&mut self, path: &Path, _: &Attributes) -> Result<(), UnpackError> {
        Err(forbidden(path, Rule::Fifo))
    }

    fn device(&mut self, path: &Path) -> Result<(), UnpackError> {
        Err(forbidden(path, Rule::Device))
    }
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    header: &mut Header,
    path: &Path,
    link: Option<&OsStr>,
    content: impl Read,
) -> Result<(), UnpackError> {
    match link {
        Some(target) => archive.append_link(header, path, target),
        None => archive.append_data(header, path, content),
    }
    .map_err(|source| UnpackError::Write { entry: path.display().to_string(), source })
}

/// A file's content as long as its header promised, and whose fault it was when it could not be copied.
struct Whole<'r, R> {
    inner: &'r mut R,
    missing: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Read for &mut Whole<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = match self.inner.read(buffer) {
            Ok(0) if self.missing > 0 && !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            result => result,
        };
        let error = match result {
            Ok(count) => {
                self.missing = self.missing.saturating_sub(count as u64);
                return Ok(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => error,
        };
        let kind = error.kind();
        self.failed = Some(error);
        Err(kind.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Archive;
    use crate::{UnpackOptions, pack, unpack};

    fn options() -> PackOptions {
        PackOptions { prefix: "app/vendor".into(), owner: Some((1000, 1000)), modified: Some(7) }
    }

    fn again(archive: Archive, limits: Limits) -> Result<Vec<u8>, UnpackError> {
        repack(archive.end().as_slice(), Vec::new(), limits, &options())
    }

    fn honest() -> Archive {
        let long = format!("d/{}", "n".repeat(120));
        Archive::default()
            .dir("./")
            .file("a", "one")
            .dir("d")
            .dir("d")
            .file("d/b", "two")
            .file("e/f/g", "deep")
            .link("d/c", EntryType::Link, "a")
            .pax(&[("path", &long), ("SCHILY.xattr.user.note", "x")])
            .file("short", "three")
            .symlink("s", "../../outside")
    }

    /// Names and what tells entries apart, with what they hold.
    fn entries(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        let described = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            let header = entry.header();
            format!(
                "{} {:?} {:o} {}:{} {} {:?} {content}",
                entry.path().unwrap().display(),
                header.entry_type(),
                header.mode().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap(),
                header.mtime().unwrap(),
                entry.link_name().unwrap()
            )
        });
        described.collect()
    }

    #[test]
    fn it_is_what_unpacking_and_packing_gives() {
        let dir = tempfile::tempdir().unwrap();
        unpack(honest().end().as_slice(), dir.path(), &UnpackOptions::slug(0, 0)).unwrap();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let packed = pack(dir.path(), Vec::new(), &options(), crate::Compression::None).unwrap().writer;
        let mut detour = entries(&packed);
        let mut straight = entries(&again(honest(), Limits::default()).unwrap());
        // Of a file with several names the first to come has the content, and nobody reads a link's mode.
        for list in [&mut detour, &mut straight] {
            list.retain(|entry| !entry.contains(" Link "));
            list.sort();
        }
        assert_eq!(straight, detour);
    }

    #[test]
    fn what_no_honest_tool_writes_is_refused() {
        for (archive, expected) in [
            (Archive::default().file("../a", ""), Rule::ParentDirectory),
            (Archive::default().file("/a", ""), Rule::AbsolutePath),
            (Archive::default().file("a", "1").file("a", "2"), Rule::Twice),
            (Archive::default().dir("a").file("./a/", "2"), Rule::Twice),
            (Archive::default().dir("a").symlink("a", "/etc"), Rule::Twice),
            (Archive::default().file("a/b", "").symlink("a", "/etc"), Rule::Twice),
            (Archive::default().symlink("a", "/etc").file("a/b", ""), Rule::ThroughLink),
            (Archive::default().file("a", "").file("a/b", ""), Rule::ThroughLink),
            (Archive::default().symlink("a", ""), Rule::LinkLeaves { target: String::new() }),
            (Archive::default().link("a", EntryType::Link, "b"), Rule::HardLinkTarget { target: "b".into() }),
            (
                Archive::default().symlink("b", "/etc/shadow").link("a", EntryType::Link, "b"),
                Rule::HardLinkTarget { target: "b".into() },
            ),
            (Archive::default().kind("a", EntryType::Fifo), Rule::Fifo),
            (Archive::default().kind("a", EntryType::Char), Rule::Device),
        ] {
            match again(archive, Limits::default()) {
                Err(UnpackError::Forbidden { rule, .. }) => assert_eq!(rule, expected),
                other => panic!("{expected:?}: {other:?}"),
            }
        }
        assert!(matches!(again(Archive::default(), Limits::default()), Err(UnpackError::Empty)));
    }

    #[test]
    fn limits_and_damage_end_it() {
        let small = Limits { bytes: 4, ..Limits::default() };
        assert!(matches!(again(honest(), small), Err(UnpackError::TooMuch(_))));
        let few = Limits { entries: 3, ..Limits::default() };
        assert!(matches!(again(honest(), few), Err(UnpackError::TooMuch(_))));
        let mut short = Archive::default().file("a", &"x".repeat(5000)).0;
        short.truncate(2000);
        let result = repack(short.as_slice(), Vec::new(), Limits::default(), &options());
        assert!(matches!(result, Err(UnpackError::Read(_))), "{result:?}");
    }

    #[test]
    fn a_writer_that_fails_is_not_the_archives_fault() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let error = repack(honest().end().as_slice(), full, Limits::default(), &options()).unwrap_err();
        assert!(error.is_disk_full() && !error.is_archive_at_fault(), "{error:?}");
    }
}
