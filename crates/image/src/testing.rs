//! Archives for tests, honest and hostile.

use tar::{EntryType, Header};

/// An archive in the making. Paths are written as they are given, as no honest tool would.
#[derive(Default)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

impl Archive {
    pub(crate) fn header(path: &str, kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o6755);
        header.set_uid(4242);
        header.set_gid(4343);
        header.set_mtime(1_600_000_000);
        header.set_cksum();
        header
    }

    pub(crate) fn raw(mut self, header: &Header, content: &[u8]) -> Self {
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        self.raw(&Self::header(path, EntryType::Regular, content.len() as u64), content.as_bytes())
    }

    pub(crate) fn kind(self, path: &str, kind: EntryType) -> Self {
        self.raw(&Self::header(path, kind, 0), b"")
    }

    pub(crate) fn dir(self, path: &str) -> Self {
        self.kind(path, EntryType::Directory)
    }

    pub(crate) fn link(self, path: &str, kind: EntryType, target: &str) -> Self {
        let mut header = Self::header(path, kind, 0);
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.raw(&header, b"")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.link(path, EntryType::Symlink, target)
    }

    /// PAX records for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut content = String::new();
        for (key, value) in records {
            let rest = format!(" {key}={value}\n");
            let mut length = rest.len();
            while length.to_string().len() + rest.len() != length {
                length = length.to_string().len() + rest.len();
            }
            content.push_str(&length.to_string());
            content.push_str(&rest);
        }
        self.raw(&Self::header("pax", EntryType::XHeader, content.len() as u64), content.as_bytes())
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}
