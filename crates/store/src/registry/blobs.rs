//! Which blobs belong to a repository.

use super::bound;
use crate::row::{Columns, integer, micros};
use crate::{Result, Tx, Write};
use domain::{AppId, Digest, RepositoryBlob, RepositoryId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn blob(row: &SqliteRow) -> Result<RepositoryBlob> {
    Ok(RepositoryBlob {
        digest: row.parsed("digest")?,
        size: row.number("size")?,
        touched_at: row.time("touched_at")?,
    })
}

/// Adds a blob to a repository, or makes the one that is there young again.
pub async fn put(write: &mut Write, repository: RepositoryId, blob: &RepositoryBlob) -> Result<()> {
    sqlx::query(
        "INSERT INTO registry_blobs (repository_id, digest, size, touched_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (repository_id, digest) DO UPDATE SET touched_at = $4",
    )
    .bind(bound(repository))
    .bind(blob.digest.to_string())
    .bind(integer(blob.size))
    .bind(micros(blob.touched_at))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// One blob of a repository.
pub async fn by_digest(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<RepositoryBlob>> {
    sqlx::query("SELECT * FROM registry_blobs WHERE repository_id = $1 AND digest = $2")
        .bind(bound(repository))
        .bind(digest.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(blob)
        .transpose()
}

/// A blob that any repository of an app has.
pub async fn of_app(tx: &mut Tx, app: AppId, digest: &Digest) -> Result<Option<RepositoryBlob>> {
    sqlx::query(
        "SELECT * FROM registry_blobs
         WHERE digest = $2 AND repository_id IN (SELECT id FROM registry_repositories WHERE app_id = $1)
         LIMIT 1",
    )
    .bind(app.to_string())
    .bind(digest.to_string())
    .fetch_optional(tx.sql())
    .await?
    .as_ref()
    .map(blob)
    .transpose()
}

/// Takes a blob out of a repository. False if it was not there.
pub async fn delete(write: &mut Write, repository: RepositoryId, digest: &Digest) -> Result<bool> {
    let done = sqlx::query("DELETE FROM registry_blobs WHERE repository_id = $1 AND digest = $2")
        .bind(bound(repository))
        .bind(digest.to_string())
        .execute(write.sql())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes out of all repositories what no manifest there is made of and nobody touched since `before`.
pub async fn delete_unused(write: &mut Write, before: Timestamp) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM registry_blobs
         WHERE touched_at < $1 AND NOT EXISTS (
             SELECT 1 FROM registry_parts
             WHERE registry_parts.repository_id = registry_blobs.repository_id
               AND registry_parts.digest = registry_blobs.digest)",
    )
    .bind(micros(before))
    .execute(write.sql())
    .await?;
    Ok(done.rows_affected())
}
