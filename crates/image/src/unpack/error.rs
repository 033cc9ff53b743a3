//! Why an archive was not unpacked.

use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::Path;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("the archive is {format}, which is not supported; send a tar, tar.gz or tar.zst archive")]
    Format { format: &'static str },
    /// Damaged, cut short, not a tar archive, or the reader failed.
    #[error("the archive cannot be read: {0}")]
    Read(io::Error),
    #[error("the archive is empty")]
    Empty,
    #[error("the archive entry {entry:?} is not allowed: {rule}")]
    Forbidden { entry: String, rule: Rule },
    #[error("the archive is too large: {0}")]
    TooMuch(TooMuch),
    #[error("cannot write {entry:?}")]
    Write {
        entry: String,
        #[source]
        source: io::Error,
    },
}

impl UnpackError {
    /// Whether the disk is full, which is not the archive's fault.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Write { source, .. } if crate::store::is_disk_full(source))
    }

    /// Whether the archive is at fault, rather than this machine.
    pub fn is_archive_at_fault(&self) -> bool {
        !matches!(self, Self::Write { .. })
    }
}

/// A rule that an entry broke.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    AbsolutePath,
    ParentDirectory,
    EmptyPath,
    NameTooLong,
    ControlByte,
    ThroughLink,
    LinkLeaves { target: String },
    HardLinkTarget { target: String },
    Device,
    Fifo,
    UnknownKind,
    AmbiguousHeader,
    Twice,
    PaxSparse,
    OwnerOutOfRange,
    TooManyLinks,
    Attribute { name: String },
    Refused { why: String },
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AbsolutePath => f.write_str("its path is absolute"),
            Self::ParentDirectory => f.write_str("its path contains `..`"),
            Self::EmptyPath => f.write_str("it has no name"),
            Self::NameTooLong => f.write_str("its path is too long"),
            Self::ControlByte => f.write_str("its path contains a zero byte"),
            Self::ThroughLink => f.write_str("its path passes through a link or a file"),
            Self::LinkLeaves { target } => write!(f, "it links to {target:?}, outside of the archive"),
            Self::HardLinkTarget { target } => {
                write!(f, "it is a hard link to {target:?}, which is not a file of the archive")
            }
            Self::Device => f.write_str("it is a device"),
            Self::Fifo => f.write_str("it is a named pipe"),
            Self::UnknownKind => f.write_str("it is of an unknown kind"),
            Self::AmbiguousHeader => f.write_str("its header says two different things"),
            Self::Twice => f.write_str("the archive has it twice"),
            Self::PaxSparse => f.write_str("it is a sparse file in a format that is not supported"),
            Self::OwnerOutOfRange => f.write_str("its owner is out of range"),
            Self::TooManyLinks => f.write_str("its file has more names than a file can have"),
            Self::Attribute { name } => write!(f, "its attribute {name:?} cannot be set"),
            Self::Refused { why } => write!(f, "no file system takes it: {why}"),
        }
    }
}

/// A limit that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TooMuch {
    Bytes(u64),
    Entries(u64),
    Depth(usize),
    Ratio(u64),
    Metadata(u64),
    Seconds(u64),
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(limit) => write!(f, "it unpacks to more than {limit} bytes"),
            Self::Entries(limit) => write!(f, "it has more than {limit} entries"),
            Self::Depth(limit) => write!(f, "it has more than {limit} nested directories"),
            Self::Ratio(limit) => write!(f, "it unpacks to more than {limit} times its size"),
            Self::Metadata(limit) => {
                write!(f, "an entry has more than {limit} bytes of names and attributes")
            }
            Self::Seconds(limit) => write!(f, "it takes more than {limit} seconds to unpack"),
        }
    }
}

pub(super) fn forbidden(path: &Path, rule: Rule) -> UnpackError {
    UnpackError::Forbidden { entry: path.display().to_string(), rule }
}

/// For `map_err`: what the kernel says of an entry. Some of that is the archive's fault: it would say the
/// same on any machine, at any time.
pub(super) fn failing(path: &Path) -> impl Fn(Errno) -> UnpackError + Copy + '_ {
    move |errno| {
        let rule = match errno {
            Errno::LOOP | Errno::NOTDIR => Rule::ThroughLink,
            Errno::NAMETOOLONG => Rule::NameTooLong,
            Errno::MLINK => Rule::TooManyLinks,
            Errno::INVAL | Errno::ILSEQ => Rule::Refused { why: io::Error::from(errno).to_string() },
            errno => {
                return UnpackError::Write { entry: path.display().to_string(), source: errno.into() };
            }
        };
        forbidden(path, rule)
    }
}
