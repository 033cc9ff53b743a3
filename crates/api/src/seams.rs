//! What the API needs from parts that it may not know: the output of builds and releases, the place
//! where uploads go, and the servers that databases are in. The server wires them in.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    AppSetupId, BuildId, Check, DatabaseAccess, DatabaseFigures, Digest, ReleaseId, Slug, TransferId,
};
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::io;

/// A stream of bytes that can fail on its way.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// Whose output is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputOf {
    Build(BuildId),
    /// The output of a release's command.
    Release(ReleaseId),
    /// The output of a setup's `postdeploy`.
    Setup(AppSetupId),
}

/// The text that builds, release commands and scripts of setups print.
#[async_trait]
pub trait Outputs: Send + Sync + 'static {
    /// Everything from byte `offset` on, and then what comes, until the build or command is over.
    /// `None` while it has not started.
    async fn follow(&self, of: OutputOf, offset: u64) -> io::Result<Option<ByteStream>>;
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub digest: Digest,
    pub size: u64,
}

/// What became of a slug's upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSlug {
    /// The image that was made of it.
    pub image: Digest,
    /// Digest of the tarball as it came.
    pub checksum: Digest,
    /// Bytes of the tarball as it came.
    pub size: u64,
}

/// An image that can run.
pub struct Runnable {
    /// Its manifest, for this machine.
    pub image: Digest,
    /// What it runs by itself, as a shell would read it.
    pub command: String,
    /// Keeps it from being collected while this is held.
    pub held: Box<dyn Send + Sync>,
}

/// Why an upload was not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The sender's fault, in words for the sender.
    #[error("{0}")]
    Refused(String),
    /// The limit in bytes.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    #[error("could not keep the upload")]
    Storage(#[source] io::Error),
}

/// Where big bodies and what is derived from them live.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Keeps a source tarball, whatever is in it.
    async fn put_source(&self, body: ByteStream) -> Result<Stored, UploadError>;

    /// Reads a blob back; `None` if there is no such blob.
    async fn get(&self, digest: &Digest) -> io::Result<Option<ByteStream>>;

    /// Makes an image of a slug's tarball (a gzipped tar with everything under `./app`).
    async fn put_slug(&self, slug: &Slug, body: ByteStream) -> Result<StoredSlug, UploadError>;

    /// Looks at an image that was pushed: whether it can run, and what it runs.
    async fn admit(&self, manifest: &Digest) -> Result<Runnable, UploadError>;

    /// Reads the tarball of a slug; `None` if it is not kept any more.
    async fn get_slug(&self, slug: &Slug) -> io::Result<Option<ByteStream>>;

    /// Reads the dump of a backup, and tells how many bytes it has; `None` if it is not kept any more.
    async fn get_backup(&self, backup: TransferId) -> io::Result<Option<(u64, ByteStream)>>;
}

/// Why a database server did not do something.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The user's fault, in words for the user.
    #[error("{0}")]
    Refused(String),
    #[error("the database does not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database did not do it")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Who has a database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerOf {
    /// The database has it to itself.
    One,
    /// Several databases share it.
    Many,
}

/// The servers that databases are in. Nobody's permission is asked here any more.
#[async_trait]
pub trait Databases: Send + Sync + 'static {
    /// What a database says about itself.
    async fn figures(&self, access: &DatabaseAccess) -> Result<DatabaseFigures, DatabaseError>;

    /// Empties a database, and gives it these extensions.
    async fn reset(&self, access: &DatabaseAccess, extensions: &[String]) -> Result<(), DatabaseError>;

    /// Ends all connections of its users.
    async fn end_connections(&self, access: &DatabaseAccess) -> Result<(), DatabaseError>;

    /// Has it count anew.
    async fn reset_statistics(&self, access: &DatabaseAccess) -> Result<(), DatabaseError>;

    /// The server's settings as it has written them down, by PostgreSQL's names.
    async fn settings(&self, access: &DatabaseAccess) -> Result<BTreeMap<String, String>, DatabaseError>;

    /// Changes a setting of the server's for good, or for `None` forgets that it was changed.
    async fn change_setting(
        &self,
        access: &DatabaseAccess,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), DatabaseError>;

    /// Gives everything in a database to its owner again, and the owner all of these users' rights.
    async fn repair_owner(&self, access: &DatabaseAccess, users: &[String]) -> Result<(), DatabaseError>;

    /// Looks for what is wrong with a database that may have so many connections.
    async fn diagnose(
        &self,
        access: &DatabaseAccess,
        connections: u64,
        whose: ServerOf,
    ) -> Result<Vec<Check>, DatabaseError>;
}
