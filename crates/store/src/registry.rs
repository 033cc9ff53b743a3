//! The registry's rows: repositories with their manifests, tags, blobs and uploads.
//!
//! They say what belongs to which repository. Every digest among them is a root of the garbage
//! collection ([`digests`]), so that no blob goes while a row names it.

pub mod blobs;
pub mod manifests;
pub mod tags;
pub mod uploads;

use crate::row::{Columns, micros};
use crate::{Result, Tx, Write};
use domain::{AppId, Digest, Repository, RepositoryId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

fn repository(row: &SqliteRow) -> Result<Repository> {
    Ok(Repository {
        id: row.parsed("id")?,
        app: row.parsed("app_id")?,
        rest: row.text("name")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds a repository.
pub async fn insert(write: &mut Write, repository: &Repository) -> Result<()> {
    sqlx::query("INSERT INTO registry_repositories (id, app_id, name, created_at) VALUES ($1, $2, $3, $4)")
        .bind(repository.id.to_string())
        .bind(repository.app.to_string())
        .bind(&repository.rest)
        .bind(micros(repository.created_at))
        .execute(write.sql())
        .await?;
    Ok(())
}

/// An app's repository by what follows the app's name.
pub async fn by_name(tx: &mut Tx, app: AppId, rest: &str) -> Result<Option<Repository>> {
    sqlx::query("SELECT * FROM registry_repositories WHERE app_id = $1 AND name = $2")
        .bind(app.to_string())
        .bind(rest)
        .fetch_optional(tx.sql())
        .await?
        .as_ref()
        .map(repository)
        .transpose()
}

/// How many repositories an app has.
pub async fn count(tx: &mut Tx, app: AppId) -> Result<usize> {
    let row = sqlx::query("SELECT COUNT(*) AS count FROM registry_repositories WHERE app_id = $1")
        .bind(app.to_string())
        .fetch_one(tx.sql())
        .await?;
    row.number("count")
}

/// Bytes of all that an app's repositories hold, and of what uploads to them were promised; what
/// several hold counts for each.
pub async fn bytes(tx: &mut Tx, app: AppId) -> Result<u64> {
    let row = sqlx::query(
        "SELECT COALESCE(SUM(size), 0) AS bytes FROM (
             SELECT repository_id, size FROM registry_blobs
             UNION ALL SELECT repository_id, size FROM registry_manifests
             UNION ALL SELECT repository_id, reserved FROM registry_uploads)
         WHERE repository_id IN (SELECT id FROM registry_repositories WHERE app_id = $1)",
    )
    .bind(app.to_string())
    .fetch_one(tx.sql())
    .await?;
    row.number("bytes")
}

/// Removes repositories that nothing is left in and that are older than `before`.
pub async fn delete_empty(write: &mut Write, before: Timestamp) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM registry_repositories
         WHERE created_at < $1
           AND id NOT IN (SELECT repository_id FROM registry_manifests)
           AND id NOT IN (SELECT repository_id FROM registry_blobs)
           AND id NOT IN (SELECT repository_id FROM registry_uploads)",
    )
    .bind(micros(before))
    .execute(write.sql())
    .await?;
    Ok(done.rows_affected())
}

/// All manifests and blobs of all repositories: what garbage collection must keep.
pub async fn digests(tx: &mut Tx) -> Result<Vec<Digest>> {
    sqlx::query("SELECT digest FROM registry_manifests UNION SELECT digest FROM registry_blobs")
        .fetch_all(tx.sql())
        .await?
        .iter()
        .map(|row| row.parsed("digest"))
        .collect()
}

/// A repository as it is bound to a statement.
fn bound(id: RepositoryId) -> String {
    id.to_string()
}
