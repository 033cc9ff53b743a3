//! Uploads that have not ended. How far each is, its file in the image store tells.

use super::bound;
use crate::row::{Columns, integer, micros};
use crate::{Result, Tx, Write};
use domain::{AppId, Upload, UploadId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn upload(row: &SqliteRow) -> Result<Upload> {
    Ok(Upload {
        id: row.parsed("id")?,
        repository: row.parsed("repository_id")?,
        reserved: row.number("reserved")?,
        touched_at: row.time("touched_at")?,
    })
}

/// Adds an upload.
pub async fn insert(write: &mut Write, upload: &Upload) -> Result<()> {
    sqlx::query(
        "INSERT INTO registry_uploads (id, repository_id, touched_at, reserved) VALUES ($1, $2, $3, $4)",
    )
    .bind(upload.id.to_string())
    .bind(bound(upload.repository))
    .bind(micros(upload.touched_at))
    .bind(integer(upload.reserved))
    .execute(write.sql())
    .await?;
    Ok(())
}

/// Notes that somebody works with it.
pub async fn touch(write: &mut Write, id: UploadId, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE registry_uploads SET touched_at = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(micros(now))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// Notes for how many bytes it has been promised room.
pub async fn reserve(write: &mut Write, id: UploadId, bytes: u64) -> Result<()> {
    sqlx::query("UPDATE registry_uploads SET reserved = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(integer(bytes))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// One upload.
pub async fn by_id(tx: &mut Tx, id: UploadId) -> Result<Option<Upload>> {
    sqlx::query("SELECT * FROM registry_uploads WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(upload)
        .transpose()
}

/// Removes one. False if it was not there.
pub async fn delete(write: &mut Write, id: UploadId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM registry_uploads WHERE id = $1")
        .bind(id.to_string())
        .execute(write.sql())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes those that nobody touched since `before`.
pub async fn delete_old(write: &mut Write, before: Timestamp) -> Result<u64> {
    let done = sqlx::query("DELETE FROM registry_uploads WHERE touched_at < $1")
        .bind(micros(before))
        .execute(write.sql())
        .await?;
    Ok(done.rows_affected())
}

/// How many uploads to an app's repositories have not ended.
pub async fn count(tx: &mut Tx, app: AppId) -> Result<usize> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS count FROM registry_uploads
         WHERE repository_id IN (SELECT id FROM registry_repositories WHERE app_id = $1)",
    )
    .bind(app.to_string())
    .fetch_one(tx.sql())
    .await?;
    row.number("count")
}

/// The upload to an app's repositories that nobody touched for longest.
pub async fn oldest(tx: &mut Tx, app: AppId) -> Result<Option<Upload>> {
    sqlx::query(
        "SELECT * FROM registry_uploads
         WHERE repository_id IN (SELECT id FROM registry_repositories WHERE app_id = $1)
         ORDER BY touched_at, id LIMIT 1",
    )
    .bind(app.to_string())
    .fetch_optional(tx.sql())
    .await?
    .as_ref()
    .map(upload)
    .transpose()
}

/// All that have not ended.
pub async fn ids(tx: &mut Tx) -> Result<Vec<UploadId>> {
    sqlx::query("SELECT id FROM registry_uploads")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| row.parsed("id"))
        .collect()
}
