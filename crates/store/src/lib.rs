//! The only SQL of Kigo: rows in, rows out, in one SQLite file.
//!
//! [`Store::read`] gives a consistent snapshot, [`Store::write`] the one write transaction at a
//! time; what a transaction did is on disk when [`Write::commit`] returns, and none of it is there
//! when the transaction is dropped or the process dies. After each commit the change feed
//! ([`Store::changes`]) moves, which wakes whoever plans.
//!
//! The functions sit in one module for each kind of row and take the transaction first. They refuse
//! to decide anything: who may do what, and what follows from what, is `ops`' business. Secrets are
//! sealed here on their way in (see [`seal`]) and never leave in an error or a log line.

pub mod accounts;
pub mod addons;
pub mod app_setups;
pub mod apps;
pub mod archives;
pub mod attachments;
pub mod authorizations;
pub mod buildpacks;
pub mod builds;
pub mod chores;
pub mod collaborators;
pub mod configs;
pub mod credentials;
pub mod domains;
pub mod drains;
pub mod dynos;
pub mod errands;
pub mod features;
pub mod formation;
pub mod instances;
pub mod keys;
pub mod notices;
pub mod origins;
pub mod papertrail;
pub mod partner_tokens;
pub mod partners;
pub mod registry;
pub mod releases;
pub mod reports;
pub mod resources;
pub mod scheduler;
pub mod settings;
pub mod slugs;
pub mod sources;
pub mod ssh_keys;
pub mod transfers;
pub mod webhooks;

mod error;
mod feed;
mod row;
pub mod seal;
mod transaction;

pub use error::StoreError;
pub use feed::Table;
pub use keys::Keys;
pub use transaction::{Tx, Write};

use sqlx::Connection as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The database's file in the data directory.
pub const DATABASE_FILE: &str = "kigo.db";

/// How many snapshots can be open at once; more wait.
const READERS: u32 = 4;

/// A handle on the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    readers: SqlitePool,
    writer: SqlitePool,
    keys: Arc<Keys>,
    feed: Arc<feed::Feed>,
    /// Held, never read: says to other processes that the data directory is in use.
    _lock: File,
}

impl Store {
    /// Opens, and if needed creates, the database in `data_dir` and brings its tables up to date.
    /// Refuses a data directory that another process has open, and keys that do not fit it.
    pub async fn open(data_dir: &Path, keys: Keys) -> Result<Self> {
        let lock = lock(data_dir)?;
        let path = data_dir.join(DATABASE_FILE);
        create_private(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit is acknowledged to users, so it must survive a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let writer = pool(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(StoreError::Database)?;
        sqlx::migrate!("./migrations").run(&writer).await.map_err(StoreError::Migrate)?;
        let readers = pool(READERS).connect_lazy_with(options.pragma("query_only", "ON"));
        let inner =
            Inner { readers, writer, keys: Arc::new(keys), feed: Arc::new(feed::Feed::new()), _lock: lock };
        let store = Self { inner: Arc::new(inner) };
        store.check_key().await?;
        Ok(store)
    }

    /// A snapshot: all reads through it see the same state.
    pub async fn read(&self) -> Result<Tx> {
        let sql = self.inner.readers.begin().await.map_err(StoreError::Database)?;
        Ok(Tx::new(sql, self.inner.keys.clone()))
    }

    /// The write transaction; waits until nobody else has it.
    pub async fn write(&self) -> Result<Write> {
        // IMMEDIATE: a transaction that starts by reading and then writes would otherwise fail at
        // once, whatever the busy timeout says.
        let sql = self.inner.writer.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::Database)?;
        Ok(Write::new(Tx::new(sql, self.inner.keys.clone()), self.inner.feed.clone()))
    }

    /// Counts up after every commit that changed a row of any table.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.any()
    }

    /// Counts up after every commit that changed a row of this table.
    pub fn changes_of(&self, table: Table) -> watch::Receiver<u64> {
        self.inner.feed.of(table)
    }

    /// Wraps every secret's data key anew with the current master key, and returns how many. After
    /// that the older master keys are not needed any more.
    pub async fn rewrap(&self) -> Result<u64> {
        let mut write = self.write().await?;
        let count = seal::rewrap_all(&mut write).await?;
        write.commit().await?;
        Ok(count)
    }

    /// Waits for running statements and closes the file.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    /// Fails with words about the key, before anything else fails for lack of it.
    async fn check_key(&self) -> Result<()> {
        let mut write = self.write().await?;
        seal::check_key(&mut write).await?;
        write.commit().await
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_mins(1))
        // A file does not hang up.
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(is_usable(connection)))
}

/// Whether a connection that was given back can be given out again. When the disk is full SQLite
/// ends a transaction by itself, and the connection takes it for open ever after.
async fn is_usable(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // Waits for the rollback that a dropped transaction has asked for.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Takes the data directory for this process; the kernel gives it back when the process ends,
/// however it ends.
fn lock(data_dir: &Path) -> Result<File> {
    let path = data_dir.join("kigo.lock");
    let open_error = |source| StoreError::Open { path: path.clone(), source };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(open_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(open_error(source)),
    }
}

/// SQLite would make the file with the process's umask; its write-ahead log takes over the mode.
fn create_private(path: &Path) -> Result<()> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|source| StoreError::Open { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
