//! What an entry gets besides its content: mode, owner, times and extended attributes.

use super::error::{failing, forbidden};
use super::{Rule, UnpackError};
use rustix::fd::AsFd;
use rustix::fs::{Gid, Timespec, Timestamps, Uid, XattrFlags, fsetxattr, fstatvfs};
use rustix::io::Errno;
use std::path::Path;

/// Bytes of extended attributes that any file system has room for, if it has any.
const ROOM: u64 = 1 << 20;

/// What an entry gets besides its content.
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, u32),
    pub(super) extended: Vec<(String, Vec<u8>)>,
}

impl Attributes {
    pub(super) fn owner(&self) -> (Option<Uid>, Option<Gid>) {
        (Some(Uid::from_raw(self.owner.0)), Some(Gid::from_raw(self.owner.1)))
    }

    pub(super) fn times(&self) -> Timestamps {
        let time = Timespec { tv_sec: self.modified.0, tv_nsec: self.modified.1.into() };
        Timestamps { last_access: time, last_modification: time }
    }
}

/// Sets extended attributes, of a file or directory at `path`.
pub(super) fn set_attributes(
    file: impl AsFd,
    attributes: &Attributes,
    path: &Path,
) -> Result<(), UnpackError> {
    for (name, value) in &attributes.extended {
        match fsetxattr(&file, name.as_str(), value, XattrFlags::empty()) {
            // A file system without them, or an attribute this kind of file cannot have.
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM) => {}
            Err(errno) if is_strange(errno, &file) => {
                return Err(forbidden(path, Rule::Attribute { name: name.clone() }));
            }
            Err(errno) => return Err(failing(path)(errno)),
        }
    }
    Ok(())
}

/// Whether it is the attribute's fault that it cannot be set: its name or its value is none, or too
/// long, or there are too many. The kernel says of the last that there is no space left.
fn is_strange(errno: Errno, file: impl AsFd) -> bool {
    match errno {
        Errno::RANGE | Errno::TOOBIG | Errno::INVAL | Errno::NAMETOOLONG => true,
        Errno::NOSPC => fstatvfs(file).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) > ROOM),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Archive;
    use crate::unpack::{Rule, UnpackError, UnpackOptions, unpack};
    use tar::EntryType;

    fn attempt(archive: Archive) -> Result<(), UnpackError> {
        // On a disk: what lies in memory has fewer attributes.
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        unpack(archive.end().as_slice(), dir.path(), &UnpackOptions::layer()).map(|_| ())
    }

    #[test]
    fn strange_attributes_are_the_archives_fault() {
        let long = format!("user.{}", "n".repeat(300));
        let large = "x".repeat(70_000);
        for (name, value, entry) in [
            ("security.capability", "x", EntryType::Regular),
            (long.as_str(), "x", EntryType::Regular),
            (long.as_str(), "x", EntryType::Directory),
            ("user.large", large.as_str(), EntryType::Regular),
            ("user.a\0b", "x", EntryType::Regular),
        ] {
            let record = format!("SCHILY.xattr.{name}");
            let error = attempt(Archive::default().pax(&[(&record, value)]).kind("a", entry)).unwrap_err();
            let expected = Rule::Attribute { name: name.to_owned() };
            assert!(matches!(&error, UnpackError::Forbidden { rule, .. } if *rule == expected), "{error:?}");
        }
        // Some file systems take it; the others say that there is no space left.
        let large = "x".repeat(60_000);
        let result = attempt(Archive::default().pax(&[("SCHILY.xattr.user.large", &large)]).file("a", ""));
        assert!(result.as_ref().map_or_else(UnpackError::is_archive_at_fault, |()| true), "{result:?}");
    }

    #[test]
    fn a_link_to_what_no_file_can_be_called_is_the_archives_fault() {
        let target = "d/".repeat(2500);
        let error = attempt(Archive::default().pax(&[("linkpath", &target)]).symlink("a", "b")).unwrap_err();
        assert!(matches!(error, UnpackError::Forbidden { rule: Rule::NameTooLong, .. }), "{error:?}");
    }
}
