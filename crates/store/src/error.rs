//! What can go wrong between Kigo and its database.

use std::path::PathBuf;

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
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
