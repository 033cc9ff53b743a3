//! One entry of an archive: read its header by the rules, then hand it to who makes something of it.

use super::attributes::Attributes;
use super::guard::Meter;
use super::{Policy, Rule, TooMuch, UnpackError};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tar::EntryType;

/// Bytes of a path, as `PATH_MAX`.
const PATH_LENGTH: usize = 4096;
/// Bytes of one name, as `NAME_MAX`.
const NAME_LENGTH: usize = 255;

/// Who makes something of entries. Paths are relative, without `.` and `..`; empty for the root itself.
pub(super) trait Receive {
    fn policy(&self) -> Policy;
    fn directory(&mut self, path: &Path, attributes: &Attributes) -> Result<(), UnpackError>;
    fn file(
        &mut self,
        path: &Path,
        content: &mut impl Read,
        size: u64,
        attributes: &Attributes,
    ) -> Result<(), UnpackError>;
    fn symlink(&mut self, path: &Path, target: &OsStr, attributes: &Attributes) -> Result<(), UnpackError>;
    fn hard_link(&mut self, path: &Path, target: &Path) -> Result<(), UnpackError>;
    fn fifo(&mut self, path: &Path, attributes: &Attributes) -> Result<(), UnpackError>;
    fn device(&mut self, path: &Path) -> Result<(), UnpackError>;
}

/// Hands one entry on.
pub(super) fn receive_entry(
    mut entry: tar::Entry<'_, impl Read>,
    tree: &mut impl Receive,
    meter: &Meter,
) -> Result<(), UnpackError> {
    let kind = entry.header().entry_type();
    if matches!(kind, EntryType::XGlobalHeader) {
        // `git archive` and GitHub keep the commit's id there; no field of it concerns us. Reading
        // it counts as metadata, for nothing else bounds it.
        meter.begin_metadata();
        io::copy(&mut entry, &mut io::sink()).map_err(UnpackError::Read)?;
        return Ok(());
    }
    let named = entry.path_bytes().into_owned();
    let shown = String::from_utf8_lossy(&named).into_owned();
    let forbid = |rule| UnpackError::Forbidden { entry: shown.clone(), rule };
    let records = Records::read(&mut entry)?;
    records.check().map_err(forbid)?;
    let size = if holds_data(kind) { entry.size() } else { 0 };
    meter.add_entry(size)?;
    let path = clean_path(&named).map_err(forbid)?;
    if path.components().count() > meter.limits().depth {
        return Err(UnpackError::TooMuch(TooMuch::Depth(meter.limits().depth)));
    }
    let attributes = attributes(&entry, tree.policy(), records).map_err(forbid)?;
    let link = || entry.link_name_bytes().map(Cow::into_owned).unwrap_or_default();
    match kind {
        EntryType::Directory => tree.directory(&path, &attributes),
        // The root itself can only be a directory.
        _ if path.as_os_str().is_empty() => Err(forbid(Rule::EmptyPath)),
        EntryType::Symlink => tree.symlink(&path, OsStr::from_bytes(&link()), &attributes),
        EntryType::Link => {
            let target = link();
            let bad = || Rule::HardLinkTarget { target: String::from_utf8_lossy(&target).into_owned() };
            let inside = clean_path(&target).ok().filter(|target| !target.as_os_str().is_empty());
            tree.hard_link(&path, &inside.ok_or_else(|| forbid(bad()))?)
        }
        EntryType::Fifo => tree.fifo(&path, &attributes),
        EntryType::Char | EntryType::Block => tree.device(&path),
        kind if holds_data(kind) => tree.file(&path, &mut entry, size, &attributes),
        _ => Err(forbid(Rule::UnknownKind)),
    }?;
    // Whatever data is left, so that the next header is read as metadata.
    io::copy(&mut entry, &mut io::sink()).map_err(UnpackError::Read)?;
    Ok(())
}

fn holds_data(kind: EntryType) -> bool {
    matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse)
}

/// An entry's PAX records, as far as they matter here.
#[derive(Default)]
struct Records {
    seen: Vec<String>,
    modified: Option<(i64, u32)>,
    /// Extended attributes that a layer may set.
    attributes: Vec<(String, Vec<u8>)>,
}

impl Records {
    fn read(entry: &mut tar::Entry<'_, impl Read>) -> Result<Self, UnpackError> {
        let mut records = Self::default();
        let Some(extensions) = entry.pax_extensions().map_err(UnpackError::Read)? else {
            return Ok(records);
        };
        for record in extensions {
            let record = record.map_err(UnpackError::Read)?;
            let key = String::from_utf8_lossy(record.key_bytes()).into_owned();
            if key == "mtime" {
                records.modified = record.value().ok().and_then(parse_time);
            }
            if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                // Never `trusted.overlay.*`: with them a layer could point overlayfs elsewhere.
                if name == "security.capability" || name.starts_with("user.") {
                    records.attributes.push((name.to_owned(), record.value_bytes().to_vec()));
                }
            }
            records.seen.push(key);
        }
        Ok(records)
    }

    /// Refuses what other readers of the archive would understand differently.
    fn check(&self) -> Result<(), Rule> {
        let times = |name: &str| self.seen.iter().filter(|seen| *seen == name).count();
        if ["path", "linkpath", "size"].into_iter().any(|name| times(name) > 1) {
            return Err(Rule::AmbiguousHeader);
        }
        if self.seen.iter().any(|key| key.starts_with("GNU.sparse.")) {
            return Err(Rule::PaxSparse);
        }
        Ok(())
    }
}

/// `1700000000.25` as seconds and nanoseconds.
fn parse_time(text: &str) -> Option<(i64, u32)> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Some((seconds.parse().ok()?, digits.parse().ok()?))
}

fn attributes(
    entry: &tar::Entry<'_, impl Read>,
    policy: Policy,
    records: Records,
) -> Result<Attributes, Rule> {
    let header = entry.header();
    let mode = header.mode().map_err(|_| Rule::AmbiguousHeader)?;
    let seconds = i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0);
    let modified = records.modified.unwrap_or((seconds, 0));
    let (owner, mode, extended) = match policy {
        Policy::Source { uid, gid } | Policy::Slug { uid, gid } => ((uid, gid), mode & 0o777, Vec::new()),
        Policy::Layer => {
            let id = |id: io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok());
            let owner = id(header.uid()).zip(id(header.gid())).ok_or(Rule::OwnerOutOfRange)?;
            // The last id means "leave as it is" to the kernel.
            if owner.0 == u32::MAX || owner.1 == u32::MAX {
                return Err(Rule::OwnerOutOfRange);
            }
            (owner, mode & 0o7777, records.attributes)
        }
    };
    Ok(Attributes { mode, owner, modified, extended })
}

/// A path of an archive, relative and without `.`; empty for the root itself.
fn clean_path(bytes: &[u8]) -> Result<PathBuf, Rule> {
    if bytes.is_empty() {
        return Err(Rule::EmptyPath);
    }
    if bytes.contains(&0) {
        return Err(Rule::ControlByte);
    }
    if bytes[0] == b'/' {
        return Err(Rule::AbsolutePath);
    }
    let mut path = PathBuf::new();
    for name in bytes.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(Rule::ParentDirectory),
            name if name.len() > NAME_LENGTH => return Err(Rule::NameTooLong),
            name => path.push(Path::new(OsStr::from_bytes(name))),
        }
    }
    if path.as_os_str().len() >= PATH_LENGTH {
        return Err(Rule::NameTooLong);
    }
    Ok(path)
}
