//! Uploaded source tarballs.

use crate::row::{Columns, micros, text_of};
use crate::{Result, Table, Tx, Write};
use domain::{Digest, Source, SourceId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn source(row: &SqliteRow) -> Result<Source> {
    Ok(Source {
        id: row.parsed("id")?,
        account: row.parsed("account_id")?,
        upload_key: row.text("upload_key")?,
        download_key: row.text("download_key")?,
        digest: row.parsed_if_any("digest")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds a place to upload to.
pub async fn insert(write: &mut Write, source: &Source) -> Result<()> {
    write.touch(Table::Sources);
    sqlx::query(
        "INSERT INTO sources (id, account_id, upload_key, download_key, digest, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(source.id.to_string())
    .bind(source.account.to_string())
    .bind(&source.upload_key)
    .bind(&source.download_key)
    .bind(text_of(source.digest.as_ref()))
    .bind(micros(source.created_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Records what was uploaded.
pub async fn set_digest(write: &mut Write, id: SourceId, digest: Digest) -> Result<()> {
    write.touch(Table::Sources);
    sqlx::query("UPDATE sources SET digest = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(digest.to_string())
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Forgets those made before `time`, and returns how many.
pub async fn delete_before(write: &mut Write, time: Timestamp) -> Result<u64> {
    write.touch(Table::Sources);
    let done = sqlx::query("DELETE FROM sources WHERE created_at < $1")
        .bind(micros(time))
        .execute(write.sql())
        .await?;
    Ok(done.rows_affected())
}

/// The source that an upload address belongs to.
pub async fn by_upload_key(tx: &mut Tx, key: &str) -> Result<Option<Source>> {
    sqlx::query("SELECT * FROM sources WHERE upload_key = $1")
        .bind(key)
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(source)
        .transpose()
}

/// The source that a download address belongs to.
pub async fn by_download_key(tx: &mut Tx, key: &str) -> Result<Option<Source>> {
    sqlx::query("SELECT * FROM sources WHERE download_key = $1")
        .bind(key)
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(source)
        .transpose()
}

/// Digests of everything uploaded: what garbage collection must keep.
pub async fn digests(tx: &mut Tx) -> Result<Vec<Digest>> {
    sqlx::query("SELECT DISTINCT digest FROM sources WHERE digest IS NOT NULL")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| row.parsed("digest"))
        .collect()
}
