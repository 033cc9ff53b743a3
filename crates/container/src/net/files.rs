//! Leases on disk: `network.json` in the directory of each container.

use super::{Lease, NetworkError};
use engine::ContainerId;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// The file on which the network namespace is mounted.
pub(super) const NAMESPACE: &str = "netns";
const LEASE: &str = "network.json";

/// Every lease that was written and not removed. A file that a crash cut short counts as none:
/// its container was never launched, and its interface is deleted as unknown.
pub(super) fn read_leases(containers: &Path) -> Result<BTreeMap<ContainerId, Lease>, NetworkError> {
    let error = || NetworkError::io(format!("read {}", containers.display()));
    let entries = match fs::read_dir(containers) {
        Ok(entries) => entries,
        Err(none) if none.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(error()(source)),
    };
    let mut leases = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(error())?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<ContainerId>().ok()) else {
            continue;
        };
        let text = match fs::read(entry.path().join(LEASE)) {
            Ok(text) => text,
            Err(none) if matches!(none.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(source) => return Err(error()(source)),
        };
        if let Ok(lease) = serde_json::from_slice(&text) {
            leases.insert(id, lease);
        }
    }
    Ok(leases)
}

/// Writes a lease as a whole or not at all.
pub(super) fn write_lease(directory: &Path, lease: &Lease) -> Result<(), NetworkError> {
    let write = || -> io::Result<()> {
        let text = serde_json::to_vec(lease)?;
        let draft = directory.join("network.json.new");
        fs::write(&draft, text)?;
        fs::rename(&draft, directory.join(LEASE))
    };
    write().map_err(NetworkError::io(format!("write {}", directory.join(LEASE).display())))
}

/// Removes a lease; none is no error.
pub(super) fn remove_lease(directory: &Path) -> Result<(), NetworkError> {
    let file = directory.join(LEASE);
    match fs::remove_file(&file) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(NetworkError::io(format!("remove {}", file.display()))(source))
        }
        _ => Ok(()),
    }
}
