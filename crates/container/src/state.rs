//! What a shim writes down for others: `state.json` while the container lives, `exit.json` when
//! it has ended. Both are replaced atomically; a reader sees an old or a new one, never half.

use engine::Exit;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What `state.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub phase: Phase,
    /// The shim's own process id.
    pub shim: i32,
    /// The container's init, as the host numbers it; once launched.
    pub init: Option<i32>,
    /// When the program was started.
    pub since: Option<Timestamp>,
    /// Something accepts connections on the watched port.
    pub listening: bool,
    /// What this machine could not provide, in words for an operator.
    pub warnings: Vec<String>,
}

/// The life of a container up to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Creating,
    AwaitingClient,
    Running,
}

/// What `exit.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When the program was started, if it ever was.
    pub since: Option<Timestamp>,
    pub at: Timestamp,
    pub exit: Exit,
    /// Sequence of the last line in the spool.
    pub last_sequence: u64,
}

/// Writes `value` as JSON to `path` by way of a temporary file beside it.
pub fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let temporary = path.with_extension("json.new");
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(value)?)?;
    fs::rename(&temporary, path)
}

/// Reads what [`write_json`] wrote; `None` when there is no such file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
