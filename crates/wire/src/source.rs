//! Sources: `/sources`, a place to put a tarball before it is built.

use serde::{Deserialize, Serialize};

/// Where to put and where to get a source tarball.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub source_blob: SourceBlob,
}

/// The two addresses; each carries its own secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBlob {
    pub get_url: String,
    pub put_url: String,
}
