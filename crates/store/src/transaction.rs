//! Snapshots and write transactions.

use crate::feed::{Feed, Touched};
use crate::{Keys, Result, StoreError, Table};
use sqlx::sqlite::{Sqlite, SqliteConnection};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A transaction to read through. Dropping it ends it.
pub struct Tx {
    sql: sqlx::Transaction<'static, Sqlite>,
    keys: Arc<Keys>,
}

impl Tx {
    pub(crate) fn new(sql: sqlx::Transaction<'static, Sqlite>, keys: Arc<Keys>) -> Self {
        Self { sql, keys }
    }

    pub(crate) fn sql(&mut self) -> &mut SqliteConnection {
        &mut self.sql
    }

    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.keys.clone()
    }
}

/// The write transaction. It reads like a [`Tx`]; dropping it without [`Write::commit`] undoes all
/// of it.
pub struct Write {
    tx: Tx,
    feed: Arc<Feed>,
    touched: Touched,
}

impl Write {
    pub(crate) fn new(tx: Tx, feed: Arc<Feed>) -> Self {
        Self { tx, feed, touched: Touched::default() }
    }

    /// Notes that the commit is to wake the readers of `table`.
    pub(crate) fn touch(&mut self, table: Table) {
        self.touched.add(table);
    }

    /// Makes it last, then wakes the readers of the change feed. Both happen even if the caller goes
    /// away in the middle, as a handler does whose client hangs up: else a change could be there that
    /// nobody was told of.
    pub async fn commit(self) -> Result<()> {
        self.commit_then(|| ()).await
    }

    /// As [`Write::commit`], and calls `then` if it succeeded, before the feed moves.
    pub async fn commit_then(self, then: impl FnOnce() + Send + 'static) -> Result<()> {
        let Self { tx, feed, touched } = self;
        let work = async move {
            tx.sql.commit().await?;
            then();
            feed.publish(touched);
            Ok(())
        };
        tokio::spawn(work).await.map_err(|_| StoreError::Database(sqlx::Error::WorkerCrashed))?
    }
}

impl Deref for Write {
    type Target = Tx;
    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}
