//! What can go wrong between Kigo and its database.

use std::path::PathBuf;

/// `SQLITE_FULL`, and `SQLITE_IOERR_SHMSIZE` for the index of the write-ahead log.
const DISK_FULL: [&str; 2] = ["13", "4874"];

/// Why the store could not do something. None of it is the user's doing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the data directory {} is in use by another kigo server", .0.display())]
    InUse(PathBuf),
    #[error("the database did not do what was asked")]
    Database(#[source] sqlx::Error),
    #[error("the database's tables could not be brought up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    #[error("the database holds something unreadable in column {column}: {why}")]
    Corrupt { column: &'static str, why: String },
    #[error("secrets of the database cannot be used")]
    Key(#[from] crate::keys::KeyError),
}

impl StoreError {
    /// Whether the database refused a row because another one has the same unique value.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// Whether the disk has no room for it. The transaction is undone then.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| DISK_FULL.contains(&code.as_ref()))
            }
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
