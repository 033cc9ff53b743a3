//! Master keys, which wrap the data keys that encrypt secrets.
//!
//! A key is 32 random bytes written as 64 hex digits. Several can be given, one to a line (or
//! separated by commas in an environment variable): the first wraps what is written from now on, the
//! others only open what was written before. The key is never in the database, so a copy of the
//! database alone gives no secret away.

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use sha2::{Digest as _, Sha256};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of an AES-256 key.
pub(crate) const KEY_BYTES: usize = 32;

/// Why a master key could not be had or does not fit.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot {doing} the master key file {}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "the master key file {} is missing although there is a database whose secrets need it; put the file back or give the key in KIGO_MASTER_KEY",
        .0.display()
    )]
    Missing(PathBuf),
    #[error("the master key file {} can be read by others (mode {mode:o}); make it 0600", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("a master key is 64 hex digits; key number {0} is not")]
    Malformed(usize),
    #[error("no master key was given")]
    None,
    #[error(
        "the secrets were sealed with master key {needed}, which is not among the keys given ({given}); give the key that belongs to this data directory"
    )]
    Wrong { needed: String, given: String },
    #[error("a sealed secret in {0} is damaged or belongs to another row")]
    Damaged(&'static str),
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// The master keys of an installation.
pub struct Keys {
    keys: Vec<MasterKey>,
}

/// One of them.
pub(crate) struct MasterKey {
    pub(crate) id: [u8; 4],
    pub(crate) cipher: RandomizedNonceKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.ids())
    }
}

impl Keys {
    /// The keys in `given` (the value of `KIGO_MASTER_KEY`) or else in `DATA/keys/master.key`, which
    /// is made if this is the data directory's first use.
    pub fn load(data_dir: &Path, given: Option<&str>) -> Result<Self, KeyError> {
        if let Some(text) = given {
            return Self::parse(text);
        }
        let path = key_file(data_dir);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                check_mode(&path)?;
                Self::parse(&Zeroizing::new(text))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if data_dir.join(crate::DATABASE_FILE).exists() {
                    return Err(KeyError::Missing(path));
                }
                let text = random_key()?;
                write_key_file(&path, &text)?;
                Self::parse(&text)
            }
            Err(source) => Err(KeyError::File { doing: "read", path, source }),
        }
    }

    /// Puts a fresh key in front of those in `DATA/keys/master.key` and returns them all. The next
    /// step is [`crate::Store::rewrap`], then [`Keys::retire`].
    pub fn rotate(data_dir: &Path) -> Result<Self, KeyError> {
        let path = key_file(data_dir);
        let old = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|source| KeyError::File {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        let text = Zeroizing::new(format!("{}\n{}", random_key()?.trim_end(), *old));
        let keys = Self::parse(&text)?;
        write_key_file(&path, &text)?;
        Ok(keys)
    }

    /// Forgets all keys of `DATA/keys/master.key` but the first. Only after a rewrap.
    pub fn retire(data_dir: &Path) -> Result<(), KeyError> {
        let path = key_file(data_dir);
        let text = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|source| KeyError::File {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        let first = split(&text).next().ok_or(KeyError::None)?;
        write_key_file(&path, &format!("{first}\n"))
    }

    /// Reads keys as the module's description tells.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let keys = split(text)
            .enumerate()
            .map(|(index, digits)| MasterKey::parse(digits).ok_or(KeyError::Malformed(index + 1)))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::None) } else { Ok(Self { keys }) }
    }

    /// The key that wraps what is written now.
    pub(crate) fn current(&self) -> &MasterKey {
        &self.keys[0]
    }

    /// The key with this id.
    pub(crate) fn find(&self, id: &[u8]) -> Result<&MasterKey, KeyError> {
        self.keys
            .iter()
            .find(|key| key.id == id)
            .ok_or_else(|| KeyError::Wrong { needed: hex::encode(id), given: self.ids() })
    }

    pub(crate) fn ids(&self) -> String {
        self.keys.iter().map(|key| hex::encode(key.id)).collect::<Vec<_>>().join(", ")
    }
}

impl MasterKey {
    fn parse(digits: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        hex::decode_to_slice(digits, bytes.as_mut()).ok()?;
        let hash = Sha256::new().chain_update(b"kigo master key id").chain_update(bytes.as_ref()).finalize();
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, bytes.as_ref()).ok()?;
        Some(Self { id: [hash[0], hash[1], hash[2], hash[3]], cipher })
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty())
}

fn key_file(data_dir: &Path) -> PathBuf {
    data_dir.join("keys").join("master.key")
}

fn random_key() -> Result<Zeroizing<String>, KeyError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| KeyError::NoRandomness)?;
    Ok(Zeroizing::new(format!("{}\n", hex::encode(bytes.as_ref()))))
}

fn check_mode(path: &Path) -> Result<(), KeyError> {
    let metadata = std::fs::metadata(path).map_err(|source| KeyError::File {
        doing: "inspect",
        path: path.to_owned(),
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode.trailing_zeros() >= 6 { Ok(()) } else { Err(KeyError::Exposed { path: path.to_owned(), mode }) }
}

/// A secret of 32 random bytes that is no master key, for example one that signs addresses, in
/// `DATA/keys/<name>`. Made at its first use; the same ever after.
pub fn secret_file(data_dir: &Path, name: &str) -> Result<Vec<u8>, KeyError> {
    let path = data_dir.join("keys").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            check_mode(&path)?;
            hex::decode(text.trim()).map_err(|_| KeyError::Malformed(1))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = random_key()?;
            write_key_file(&path, &text)?;
            hex::decode(text.trim()).map_err(|_| KeyError::Malformed(1))
        }
        Err(source) => Err(KeyError::File { doing: "read", path, source }),
    }
}

/// Whole or not at all: a torn key file would lose every secret.
fn write_key_file(path: &Path, text: &str) -> Result<(), KeyError> {
    let fail = |doing| move |source| KeyError::File { doing, path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail("make a folder for"))?;
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)
        .map_err(fail("create"))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail("write"))?;
    std::fs::rename(&new, path).map_err(fail("put in place"))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail("make durable"))
}
